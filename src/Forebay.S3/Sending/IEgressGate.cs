namespace Forebay.S3.Sending;

/// <summary>Paces bytes that leave the node. Implemented by whoever owns the limits; thread-safe.</summary>
public interface IEgressGate
{
    /// <summary>Waits until some bytes may be sent.</summary>
    /// <param name="connectionId">Names the connection while it lives.</param>
    /// <param name="accessKeyId">Who asks; null for anonymous.</param>
    /// <param name="wantedBytes">Bytes that are left to send, &gt; 0.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <returns>Bytes granted, 1 to <paramref name="wantedBytes"/>. They count as used, sent or not.</returns>
    ValueTask<long> AcquireAsync(string connectionId, string? accessKeyId, long wantedBytes, CancellationToken cancellationToken);
}

/// <summary>Bounds the requests worked on at the same time, with a bounded queue. Implemented by whoever owns the limits; thread-safe.</summary>
public interface IConcurrencyGate
{
    /// <summary>Waits for a turn.</summary>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <returns>True: <see cref="Exit"/> must follow. False: too many wait already, the request is answered SlowDown.</returns>
    ValueTask<bool> TryEnterAsync(CancellationToken cancellationToken);

    /// <summary>Gives a turn back.</summary>
    void Exit();
}
