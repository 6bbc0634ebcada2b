using System.Runtime.CompilerServices;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

/// <summary>A running GET. An answer that ends early is an error; bytes behind the asked range are never handed out.</summary>
internal sealed class S3Read : UnderStoreRead
{
    private readonly S3UnderStore _store;
    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private long _remaining;

    /// <param name="store">Asked again after the last byte, where the store has no strong ETag.</param>
    /// <param name="response">Owned; disposed with the read.</param>
    /// <param name="body">Positioned at the first wanted byte.</param>
    /// <param name="length">Bytes of the range.</param>
    public S3Read(S3UnderStore store, HttpResponseMessage response, Stream body, long length)
    {
        _store = store;
        _response = response;
        _body = body;
        _remaining = length;
    }

    /// <summary>Without a strong ETag there is no <c>If-Match</c>: the version is compared behind the last byte.</summary>
    public override bool IsProvisional => !S3Stat.IsETag(Stat.Token);

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (_remaining == 0 || destination.IsEmpty)
        {
            return 0;
        }

        Memory<byte> wanted = destination.Length > _remaining ? destination[..(int)_remaining] : destination;
        int read = await ReadBodyAsync(_body, wanted, Stat.Key, _store.DisplayName, cancellationToken);
        _remaining -= read;
        if (_remaining == 0 && !S3Stat.IsETag(Stat.Token))
        {
            await VerifyUnchangedAsync(cancellationToken);
        }

        return read;
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        _response.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Reads at least one byte; the end of the stream is an error.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal static async ValueTask<int> ReadBodyAsync(Stream body, Memory<byte> destination, string key, string store, CancellationToken cancellationToken)
    {
        int read;
        try
        {
            read = await body.ReadAsync(destination, cancellationToken);
        }
        catch (Exception error) when (error is IOException or HttpRequestException or ObjectDisposedException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"reading '{key}' from {store}: the connection broke", error);
        }

        return read > 0 ? read : throw new ForebayException(ErrorKind.Unavailable, $"reading '{key}' from {store}: the answer ended early");
    }

    private async ValueTask VerifyUnchangedAsync(CancellationToken cancellationToken)
    {
        ObjectStat now = await _store.StatAsync(Stat.Key, requestId: null, cancellationToken);
        if (now.Token != Stat.Token)
        {
            throw new ForebayException(ErrorKind.StaleVersion, $"'{Stat.Key}' changed in {_store.DisplayName} while it was read");
        }
    }
}
