using System.Globalization;
using System.Security.Cryptography;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;

namespace Forebay.S3.Tests.Fakes;

/// <summary>A namespace of dictionaries.</summary>
internal sealed class FakeNamespace(params FakeBucket[] buckets) : INamespace
{
    public IReadOnlyList<IMountPoint> MountPoints => [.. buckets.OrderBy(b => b.Name, StringComparer.Ordinal)];

    public IMountPoint? Find(string name) => buckets.FirstOrDefault(b => b.Name == name);
}

/// <summary>One object of a <see cref="FakeBucket"/>; replaced as a whole when it is overwritten.</summary>
internal sealed record FakeObject(byte[] Bytes, DateTimeOffset LastModified, ObjectHeaders Headers)
{
    public string ETag { get; init; } = $"\"{Convert.ToHexStringLower(MD5.HashData(Bytes))}\"";

    public ObjectStat Stat(string key) => new(key, Bytes.Length, new VersionToken(ETag), LastModified) { ETag = ETag, Headers = Headers };
}

/// <summary>A mount point over a dictionary, with knobs for what a real one does rarely.</summary>
internal sealed class FakeBucket(string name) : IMountPoint
{
    public static readonly DateTimeOffset Modified = new(2024, 5, 6, 7, 8, 9, TimeSpan.Zero);

    private readonly SortedDictionary<string, FakeObject> _objects = new(KeyOrder.Instance);

    public string Name => name;

    public DateTimeOffset MountedAt => Modified;

    public bool HasDirectories { get; set; }

    /// <summary>Segments come from a file; otherwise bytes are in no file.</summary>
    public bool UseFiles { get; set; } = true;

    /// <summary>Bytes that a file really has, as after damage; segments tell of more.</summary>
    public int? FileBytes { get; set; }

    /// <summary>Files that were reported as unreadable.</summary>
    public int Unreadable;

    /// <summary>Largest segment or read.</summary>
    public int MaxPiece { get; set; } = int.MaxValue;

    /// <summary>Entries of a page at most, as a slow under-store would give.</summary>
    public int MaxPage { get; set; } = 1000;

    /// <summary>Called before each piece is given, with the offset; may throw or wait.</summary>
    public Func<string, long, CancellationToken, Task>? BeforePiece { get; set; }

    /// <summary>Called at each stat, open and listing.</summary>
    public Action<string>? OnMetadata { get; set; }

    public List<(string Key, ByteRange? Wanted, string? RequestId)> Opens { get; } = [];

    public List<string> Refreshed { get; } = [];

    public int OpenReaders;

    /// <summary>A reader is closed just behind the last byte that its client got.</summary>
    public Task IsAllClosedAsync() => Eventually.TrueAsync("all readers and segments are closed", () => Volatile.Read(ref OpenReaders) == 0 && Volatile.Read(ref OpenSegments) == 0);

    public int OpenSegments;

    public FakeObject Put(string key, byte[] bytes, ObjectHeaders? headers = null)
        => _objects[key] = new FakeObject(bytes, Modified, headers ?? ObjectHeaders.Empty);

    public FakeObject Put(string key, FakeObject value) => _objects[key] = value;

    public FakeObject Put(string key, string text) => Put(key, System.Text.Encoding.UTF8.GetBytes(text));

    public ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
    {
        OnMetadata?.Invoke(key);
        return new(Get(key).Stat(key));
    }

    public ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken)
    {
        OnMetadata?.Invoke(key);
        lock (Opens)
        {
            Opens.Add((key, wanted, requestId));
        }

        FakeObject found = Get(key);
        if (wanted is { } range && range.Offset >= found.Bytes.Length && range.Offset > 0)
        {
            throw new ForebayException(ErrorKind.InvalidRange, "beyond the end");
        }

        return new(new Reader(this, key, found));
    }

    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        OnMetadata?.Invoke(query.Prefix);
        Assert.InRange(query.MaxEntries, 1, 1000);
        int most = Math.Min(query.MaxEntries, MaxPage);
        var entries = new List<ListEntry>();
        foreach ((string key, FakeObject value) in _objects)
        {
            if (!key.StartsWith(query.Prefix, StringComparison.Ordinal))
            {
                continue;
            }

            int cut = query.Delimiter is null ? -1 : key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            string entryName = cut < 0 ? key : key[..(cut + query.Delimiter!.Length)];
            if ((query.After is not null && KeyOrder.Compare(entryName, query.After) <= 0) || (entries.Count > 0 && entries[^1].Name == entryName))
            {
                continue;
            }

            if (entries.Count == most)
            {
                return new(new ListPage(entries, true));
            }

            entries.Add(new ListEntry(entryName, cut < 0 ? value.Stat(key) with { Headers = null } : null));
        }

        return new(new ListPage(entries, false));
    }

    public ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken)
    {
        Refreshed.Add(keyOrPrefix);
        return default;
    }

    private FakeObject Get(string key)
        => _objects.TryGetValue(key, out FakeObject? found) ? found : throw new ForebayException(ErrorKind.NotFound, $"no {key}");

    private sealed class Reader : IObjectReader, IFileReference
    {
        private readonly FakeBucket _bucket;
        private readonly string _key;
        private readonly FakeObject _object;
        private readonly string? _path;
        private readonly SafeFileHandle? _file;
        private bool _isUnreadable;

        public Reader(FakeBucket bucket, string key, FakeObject value)
        {
            _bucket = bucket;
            _key = key;
            _object = value;
            Interlocked.Increment(ref bucket.OpenReaders);
            if (bucket.UseFiles)
            {
                _path = Path.Combine(Path.GetTempPath(), $"forebay-s3-{Guid.NewGuid():N}");
                File.WriteAllBytes(_path, value.Bytes[..(bucket.FileBytes ?? value.Bytes.Length)]);
                _file = File.OpenHandle(_path);
                File.Delete(_path);
            }
        }

        public ObjectStat Stat => _object.Stat(_key);

        public async ValueTask<FileSegment> GetSegmentAsync(long offset, long maxLength, CancellationToken cancellationToken)
        {
            await BeforeAsync(offset, cancellationToken);
            if (_file is null || _isUnreadable)
            {
                return default;
            }

            Interlocked.Increment(ref _bucket.OpenSegments);
            return new FileSegment(_file, offset, Math.Min(Math.Min(maxLength, _bucket.MaxPiece), _object.Bytes.Length - offset), this);
        }

        public async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            await BeforeAsync(offset, cancellationToken);
            int count = (int)Math.Min(Math.Min(destination.Length, _bucket.MaxPiece), _object.Bytes.Length - offset);
            _object.Bytes.AsMemory((int)offset, count).CopyTo(destination);
            return count;
        }

        public void ReportUnreadable()
        {
            _isUnreadable = true;
            Interlocked.Increment(ref _bucket.Unreadable);
        }

        public void Release(ByteRange range) => Interlocked.Decrement(ref _bucket.OpenSegments);

        public void Dispose()
        {
            _file?.Dispose();
            Interlocked.Decrement(ref _bucket.OpenReaders);
        }

        private Task BeforeAsync(long offset, CancellationToken cancellationToken)
        {
            if (!ReferenceEquals(_bucket.Get(_key), _object))
            {
                throw new ForebayException(ErrorKind.StaleVersion, string.Create(CultureInfo.InvariantCulture, $"{_key} changed"));
            }

            return _bucket.BeforePiece?.Invoke(_key, offset, cancellationToken) ?? Task.CompletedTask;
        }
    }
}
