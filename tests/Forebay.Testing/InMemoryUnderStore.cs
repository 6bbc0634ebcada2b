using System.Globalization;
using Forebay.Core;

namespace Forebay.Testing;

/// <summary>
/// A whole under-store in memory, as S3 behaves: a read that has started keeps its version. Thread-safe. Objects are byte arrays or
/// <see cref="PatternContent"/> of any length. Counts what it is asked.
/// </summary>
public sealed class InMemoryUnderStore : IUnderStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Entry> _objects = new(KeyOrder.Instance);
    private readonly string _name;
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private long _lastVersion;
    private long _stats;
    private long _reads;
    private long _lists;
    private long _bytes;

    public InMemoryUnderStore(string name = "memory")
    {
        _name = name;
    }

    public UnderStoreId Id => UnderStoreId.From("memory", "", _name);

    public string DisplayName => $"memory://{_name}";

    public bool HasDirectories => false;

    public long StatRequests => Interlocked.Read(ref _stats);

    public long ReadRequests => Interlocked.Read(ref _reads);

    public long ListRequests => Interlocked.Read(ref _lists);

    public long Requests => StatRequests + ReadRequests + ListRequests;

    /// <summary>Bytes handed out by reads.</summary>
    public long BytesRead => Interlocked.Read(ref _bytes);

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _objects.Count;
            }
        }
    }

    /// <summary>Stores an array (not copied).</summary>
    public ObjectStat Put(string key, byte[] content, ObjectHeaders? headers = null)
        => Put(key, content.Length, content, headers);

    /// <summary>Stores text as UTF-8.</summary>
    public ObjectStat Put(string key, string content, ObjectHeaders? headers = null)
        => Put(key, System.Text.Encoding.UTF8.GetBytes(content), headers);

    /// <summary>Stores generated content of any length; <see cref="PatternOf(string, VersionToken)"/> checks it.</summary>
    public ObjectStat PutPattern(string key, long length, ObjectHeaders? headers = null)
        => Put(key, length, content: null, headers);

    public bool Delete(string key)
    {
        lock (_lock)
        {
            return _objects.Remove(key);
        }
    }

    /// <summary>The current stat, without counting a request; null when missing.</summary>
    public ObjectStat? Peek(string key)
    {
        lock (_lock)
        {
            return _objects.GetValueOrDefault(key)?.Stat;
        }
    }

    /// <summary>The generated content of one version of a key.</summary>
    public static PatternContent PatternOf(string key, VersionToken token)
        => new(key, long.Parse(token.Value.Trim('"').AsSpan(1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    /// <summary>The generated content of the version that a stat names.</summary>
    public static PatternContent PatternOf(ObjectStat stat) => PatternOf(stat.Key, stat.Token);

    public Task<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _stats);
        return Task.FromResult(Find(key).Stat);
    }

    public Task<UnderStoreRead> ReadAsync(string key, ByteRange range, VersionToken? expected, string? requestId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(range.Length, nameof(range));
        Interlocked.Increment(ref _reads);
        Entry entry = Find(key);
        if (expected is { } token && token != entry.Stat.Token)
        {
            throw new ForebayException(ErrorKind.StaleVersion, $"'{key}' in {DisplayName} is version {entry.Stat.Token} and no longer {token}");
        }

        long length = entry.Stat.Length;
        if (range.Offset >= length)
        {
            throw new ForebayException(ErrorKind.InvalidRange, $"'{key}' in {DisplayName} has {length} bytes, none at {range.Offset}");
        }

        ByteRange clipped = new(range.Offset, Math.Min(range.Length, length - range.Offset));
        return Task.FromResult<UnderStoreRead>(new MemoryRead(this, entry, clipped) { Stat = entry.Stat, Range = clipped });
    }

    public Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfLessThan(query.MaxEntries, 1, nameof(query));
        Interlocked.Increment(ref _lists);
        lock (_lock)
        {
            return Task.FromResult(KeyListing.Page(_objects.Select(pair => pair.Value.Stat with { Headers = null }), query));
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private ObjectStat Put(string key, long length, byte[]? content, ObjectHeaders? headers)
    {
        lock (_lock)
        {
            string etag = string.Create(CultureInfo.InvariantCulture, $"\"v{++_lastVersion:x}\"");
            _now = _now.AddSeconds(1);
            ObjectStat stat = new(key, length, new VersionToken(etag), _now) { ETag = etag, Headers = headers ?? ObjectHeaders.Empty };
            _objects[key] = new Entry(stat, content, content is null ? PatternOf(stat) : null);
            return stat;
        }
    }

    private Entry Find(string key)
    {
        lock (_lock)
        {
            return _objects.GetValueOrDefault(key) ?? throw new ForebayException(ErrorKind.NotFound, $"{DisplayName} has no object '{key}'");
        }
    }

    private sealed record Entry(ObjectStat Stat, byte[]? Content, PatternContent? Pattern);

    private sealed class MemoryRead(InMemoryUnderStore store, Entry entry, ByteRange range) : UnderStoreRead
    {
        private long _position = range.Offset;

        public override ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int count = (int)Math.Min(destination.Length, range.End - _position);
            Span<byte> span = destination.Span[..count];
            if (entry.Content is { } content)
            {
                content.AsSpan((int)_position, count).CopyTo(span);
            }
            else
            {
                entry.Pattern!.Fill(_position, span);
            }

            _position += count;
            Interlocked.Add(ref store._bytes, count);
            return new ValueTask<int>(count);
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
