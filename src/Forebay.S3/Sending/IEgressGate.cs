namespace Forebay.S3.Sending;

/// <summary>Paces bytes that leave the node. Implemented by whoever owns the limits; thread-safe.</summary>
public interface IEgressGate
{
    /// <summary>Called once per accepted connection; the result stands for it until it closes.</summary>
    object Connect();

    /// <summary>Waits until some bytes may be sent.</summary>
    /// <param name="connection">What <see cref="Connect"/> gave for the connection.</param>
    /// <param name="accessKeyId">Who asks; null for anonymous.</param>
    /// <param name="wantedBytes">Bytes that are left to send, &gt; 0.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <returns>Bytes granted, 1 to <paramref name="wantedBytes"/>. They count as used, sent or not.</returns>
    ValueTask<long> AcquireAsync(object connection, string? accessKeyId, long wantedBytes, CancellationToken cancellationToken);
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

/// <summary>Feature of a connection: what the egress gate knows it by.</summary>
/// <param name="Connection">From <see cref="IEgressGate.Connect"/>.</param>
internal sealed record EgressFeature(object Connection);
