using Forebay.Engine.Options;

namespace Forebay.Engine.Limits;

/// <summary>
/// Bytes a second out of the node: one bucket for all, one for each connection, one for each access key. Thread-safe.
/// </summary>
/// <remarks>
/// A connection keeps its <see cref="EgressConnection"/> itself, so the only table here is that of access keys. It holds at most
/// <see cref="MaxAccessKeys"/>: a full table drops keys that owe nothing, and keys beyond it share one bucket.
/// </remarks>
public sealed class EgressLimits
{
    /// <summary>Most access keys with a bucket of their own.</summary>
    public const int MaxAccessKeys = 4_096;

    private readonly LimitOptions _options;
    private readonly TimeProvider _time;
    private readonly TokenBucket? _node;
    private readonly TokenBucket? _overflow;
    private readonly Dictionary<string, TokenBucket> _keys = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private long _lastSweep;

    /// <summary>Creates the limits of a node.</summary>
    public EgressLimits(LimitOptions options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _time = time;
        _node = options.EgressBytesPerSecond is { } node ? new TokenBucket(node, time) : null;
        _overflow = options.AccessKeyBytesPerSecond is { } key ? new TokenBucket(key, time) : null;
    }

    /// <summary>Number of access keys in the table.</summary>
    public int AccessKeyCount
    {
        get
        {
            lock (_lock)
            {
                return _keys.Count;
            }
        }
    }

    /// <summary>Starts a client connection; keep the result as long as the connection lives.</summary>
    public EgressConnection Connect()
        => new(_options.ConnectionBytesPerSecond is { } rate ? new TokenBucket(rate, _time) : null);

    /// <summary>Starts one response.</summary>
    /// <param name="connection">Its connection.</param>
    /// <param name="accessKey">Who asked; null when anonymous (then only connection and node limit).</param>
    /// <param name="accessKeyBytesPerSecond">The key's own rate; null for the node's setting.</param>
    public EgressFlow Begin(EgressConnection connection, string? accessKey, long? accessKeyBytesPerSecond = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return new EgressFlow(connection.Bucket, accessKey is null ? null : FindKey(accessKey, accessKeyBytesPerSecond), _node);
    }

    private TokenBucket? FindKey(string accessKey, long? ownRate)
    {
        if ((ownRate ?? _options.AccessKeyBytesPerSecond) is not { } rate)
        {
            return null;
        }

        lock (_lock)
        {
            if (_keys.TryGetValue(accessKey, out TokenBucket? bucket) && bucket.UnitsPerSecond == rate)
            {
                return bucket;
            }

            if (bucket is null && _keys.Count >= MaxAccessKeys)
            {
                DropIdleKeys();
            }

            if (bucket is null && _keys.Count >= MaxAccessKeys)
            {
                return _overflow ?? _keys.Values.First();
            }

            bucket = new TokenBucket(rate, _time);
            _keys[accessKey] = bucket;
            return bucket;
        }
    }

    private void DropIdleKeys()
    {
        // At most once a second: a stream of new keys must not make each of them walk the table.
        if (_lastSweep != 0 && _time.GetElapsedTime(_lastSweep) < TimeSpan.FromSeconds(1))
        {
            return;
        }

        _lastSweep = _time.GetTimestamp();
        foreach ((string key, TokenBucket bucket) in _keys)
        {
            if (bucket.IsIdle)
            {
                _keys.Remove(key);
            }
        }
    }
}

/// <summary>One client connection's share of the limits.</summary>
public sealed class EgressConnection
{
    internal EgressConnection(TokenBucket? bucket) => Bucket = bucket;

    internal TokenBucket? Bucket { get; }
}

/// <summary>The limits that hold for one response, to be asked before each piece, whichever way it leaves (copy or <c>sendfile</c>).</summary>
public readonly struct EgressFlow
{
    private readonly TokenBucket? _connection;
    private readonly TokenBucket? _key;
    private readonly TokenBucket? _node;

    internal EgressFlow(TokenBucket? connection, TokenBucket? key, TokenBucket? node)
    {
        _connection = connection;
        _key = key;
        _node = node;
    }

    /// <summary>True when nothing limits this response: pieces may be of any size.</summary>
    public bool IsUnlimited => _connection is null && _key is null && _node is null;

    /// <summary>Waits until the next piece may leave. Synchronous, without allocation, while below all rates.</summary>
    /// <param name="wanted">Bytes ready to leave, &gt; 0.</param>
    /// <param name="cancellationToken">Ends the wait and gives back what was reserved.</param>
    /// <returns>1 to <paramref name="wanted"/> bytes, charged to every limit.</returns>
    public ValueTask<long> AcquireAsync(long wanted, CancellationToken cancellationToken)
    {
        if (IsUnlimited)
        {
            return new ValueTask<long>(wanted);
        }

        // The same amount is taken from every bucket, so none is charged for bytes that another one holds back.
        long piece = Math.Min(Math.Min(wanted, _connection?.MaxGrant ?? wanted), Math.Min(_key?.MaxGrant ?? wanted, _node?.MaxGrant ?? wanted));
        return AcquireAllAsync(_connection, _key, _node, piece, cancellationToken);
    }

    /// <summary>Gives back bytes that were granted but did not leave.</summary>
    public void Return(long bytes)
    {
        _connection?.Return(bytes);
        _key?.Return(bytes);
        _node?.Return(bytes);
    }

    // Narrowest first: whoever waits for its own connection has not yet taken room from the others.
    private static ValueTask<long> AcquireAllAsync(
        TokenBucket? connection, TokenBucket? key, TokenBucket? node, long piece, CancellationToken cancellationToken)
    {
        if (connection is not null)
        {
            ValueTask<long> first = connection.AcquireAsync(piece, cancellationToken);
            if (!first.IsCompletedSuccessfully)
            {
                return AwaitConnectionAsync(first, connection, key, node, piece, cancellationToken);
            }

            _ = first.Result;
        }

        if (key is not null)
        {
            ValueTask<long> second = key.AcquireAsync(piece, cancellationToken);
            if (!second.IsCompletedSuccessfully)
            {
                return AwaitKeyAsync(second, connection, key, node, piece, cancellationToken);
            }

            _ = second.Result;
        }

        if (node is null)
        {
            return new ValueTask<long>(piece);
        }

        ValueTask<long> third = node.AcquireAsync(piece, cancellationToken);
        return third.IsCompletedSuccessfully ? third : AwaitNodeAsync(third, connection, key, piece);
    }

    private static async ValueTask<long> AwaitConnectionAsync(
        ValueTask<long> pending, TokenBucket connection, TokenBucket? key, TokenBucket? node, long piece, CancellationToken cancellationToken)
    {
        await pending;
        try
        {
            return await AcquireAllAsync(connection: null, key, node, piece, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            connection.Return(piece);
            throw;
        }
    }

    private static async ValueTask<long> AwaitKeyAsync(
        ValueTask<long> pending, TokenBucket? connection, TokenBucket key, TokenBucket? node, long piece, CancellationToken cancellationToken)
    {
        bool keyTaken = false;
        try
        {
            await pending;
            keyTaken = true;
            return node is null ? piece : await node.AcquireAsync(piece, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            connection?.Return(piece);
            if (keyTaken)
            {
                key.Return(piece);
            }

            throw;
        }
    }

    private static async ValueTask<long> AwaitNodeAsync(ValueTask<long> pending, TokenBucket? connection, TokenBucket? key, long piece)
    {
        try
        {
            return await pending;
        }
        catch (OperationCanceledException)
        {
            connection?.Return(piece);
            key?.Return(piece);
            throw;
        }
    }
}
