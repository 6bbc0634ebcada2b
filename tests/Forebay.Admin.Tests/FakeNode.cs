using System.Text;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Status;

namespace Forebay.Admin.Tests;

/// <summary>A node of one mount point <c>data</c> in memory; remembers what it was asked to do.</summary>
internal sealed class FakeNode : INode
{
    private readonly SortedDictionary<string, byte[]> _objects = new(KeyOrder.Instance);
    private readonly List<LoadStatus> _loads = [];

    public FakeNode()
    {
        Data = new FakeMountPoint(_objects);
        Put("a b+c%20.txt", "hello"u8.ToArray());
        Put("dir/one.bin", [.. Enumerable.Range(0, 700_000).Select(i => (byte)(i * 31))]);
        Put("dir/sub/two.bin", new byte[10]);
        Put("empty", []);
        Put("ümlaut/∂.txt", Encoding.UTF8.GetBytes("∂"));
    }

    public FakeMountPoint Data { get; }

    public List<string> Calls { get; } = [];

    public ForebayException? Fail { get; set; }

    public string? MetadataFault { get; set; }

    public IReadOnlyList<IMountPoint> MountPoints => [Data];

    public IReadOnlyList<LoadStatus> Loads => _loads;

    public void Put(string key, byte[] body) => _objects[key] = body;

    public IMountPoint? Find(string name) => name == "data" ? Data : null;

    public NodeStatus GetStatus() => new()
    {
        Version = "1.2.3",
        StartedAt = DateTimeOffset.UnixEpoch,
        ResidentBytes = 100,
        MemoryLimitBytes = 200,
        MetadataFault = MetadataFault,
        MountPoints =
        [
            new MountPointStatus
            {
                Name = "data", Source = "s3://bucket/", UnderStoreBytesRead = 1, UnderStoreRequests = 2, UnderStoreErrors = 3, HitBytes = 75, MissBytes = 25,
                CachedBytes = 6, TotalBytes = null, MetadataHits = 8, MetadataMisses = 9, CachedStats = 10, ListingBytes = 11, LastError = "it \"broke\"",
            },
        ],
        Tiers =
        [
            new TierStatus
            {
                Directory = "/var/cache\\x", Medium = "SSD", QuotaBytes = 1000, UsedBytes = 500, Objects = 4, MaxObjects = 64, EvictedBytes = 1, PromotedBytes = 2, DemotedBytes = 3, CorruptPages = 0,
                IoErrors = 0, BypassedBytes = 0, State = "ok",
            },
        ],
    };

    public async Task<PathDescription> DescribeAsync(string path, CancellationToken cancellationToken)
    {
        ThrowIfFailing();
        ObjectStat stat = await Data.StatAsync(KeyOf(path), null, cancellationToken);
        return new PathDescription(path, stat, CachedBytes: 3, ["/var/cache"], Pinned: true);
    }

    public Task<DiskUsage> MeasureAsync(string path, CancellationToken cancellationToken)
    {
        ThrowIfFailing();
        byte[][] below = [.. _objects.Where(pair => pair.Key.StartsWith(KeyOf(path), StringComparison.Ordinal)).Select(pair => pair.Value)];
        return Task.FromResult(new DiskUsage(below.Length, below.Sum(body => (long)body.Length), 1, 2));
    }

    public Task<LoadStatus> StartLoadAsync(LoadRequest request, CancellationToken cancellationToken)
    {
        ThrowIfFailing();
        Calls.Add($"load {string.Join(',', request.Paths)} pin={request.Pin} parallelism={request.Parallelism}");
        SetLoad(LoadState.Running, done: 0, failed: 0, request.Paths);
        return Task.FromResult(_loads[0]);
    }

    public void SetLoad(LoadState state, long done, long failed, IReadOnlyList<string>? paths = null)
    {
        _loads.Clear();
        _loads.Add(new LoadStatus(
            "l1", paths ?? ["/data/"], state, DateTimeOffset.UnixEpoch, state == LoadState.Running ? null : DateTimeOffset.UnixEpoch, true, 10, 1000, done,
            done * 100, done * 100, failed, failed > 0 ? "one broke" : null));
    }

    public LoadStatus? FindLoad(string id) => _loads.Find(load => load.Id == id);

    public bool CancelLoad(string id)
    {
        if (FindLoad(id) is not { State: LoadState.Running })
        {
            return false;
        }

        SetLoad(LoadState.Canceled, 1, 0);
        return true;
    }

    public Task<CacheChange> FreeAsync(string path, bool pinnedToo, bool dryRun, CancellationToken cancellationToken)
        => Record($"free {path} pinnedToo={pinnedToo} dryRun={dryRun}");

    public Task<CacheChange> PinAsync(string path, CancellationToken cancellationToken) => Record($"pin {path}");

    public CacheChange Unpin(string path) => Recorded($"unpin {path}");

    public IReadOnlyList<PinDescription> GetPins() => [new("/data/settle", 0, 0), new("/data/x", 1, 4096), new("/other/", 0, 0)];

    public Task RefreshAsync(string path, CancellationToken cancellationToken) => Record($"refresh {path}");

    private Task<CacheChange> Record(string call) => Task.FromResult(Recorded(call));

    private CacheChange Recorded(string call)
    {
        ThrowIfFailing();
        Calls.Add(call);
        return new CacheChange(2, 4096, call.StartsWith("free", StringComparison.Ordinal) ? 3 : 0);
    }

    private void ThrowIfFailing()
    {
        if (Fail is { } error)
        {
            throw error;
        }
    }

    private static string KeyOf(string path)
        => path.StartsWith("/data", StringComparison.Ordinal) ? path["/data".Length..].TrimStart('/') : throw new ForebayException(ErrorKind.NotFound, "no mount");
}

internal sealed class FakeMountPoint(SortedDictionary<string, byte[]> objects) : IMountPoint
{
    public string Name => "data";

    public DateTimeOffset MountedAt => DateTimeOffset.UnixEpoch;

    public bool HasDirectories => false;

    /// <summary>Bodies break after so many bytes.</summary>
    public long? BreakAt { get; set; }

    public ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken)
        => new(objects.TryGetValue(key, out byte[]? body) ? Stat(key, body) : throw new ForebayException(ErrorKind.NotFound, $"'{key}' does not exist."));

    public async ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken)
        => new Reader(await StatAsync(key, requestId, cancellationToken), objects[key], BreakAt);

    public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        var entries = new List<ListEntry>();
        foreach ((string key, byte[] body) in objects.Where(pair => pair.Key.StartsWith(query.Prefix, StringComparison.Ordinal)))
        {
            int cut = query.Delimiter is null ? -1 : key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            ListEntry entry = cut < 0 ? new ListEntry(key, Stat(key, body)) : new ListEntry(key[..(cut + 1)], null);
            if ((query.After is null || KeyOrder.Compare(entry.Name, query.After) > 0) && (entries.Count == 0 || entries[^1].Name != entry.Name))
            {
                entries.Add(entry);
            }
        }

        return new ValueTask<ListPage>(new ListPage([.. entries.Take(query.MaxEntries)], entries.Count > query.MaxEntries));
    }

    public ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private static ObjectStat Stat(string key, byte[] body)
        => new(key, body.Length, new VersionToken("v1"), DateTimeOffset.UnixEpoch)
        {
            ETag = "\"v1\"",
            Headers = new ObjectHeaders { ContentType = "text/html", UserMetadata = new Dictionary<string, string> { ["who"] = "me" } },
        };

    private sealed class Reader(ObjectStat stat, byte[] body, long? breakAt) : IObjectReader
    {
        public ObjectStat Stat => stat;

        public ValueTask<FileSegment> GetSegmentAsync(long offset, long maxLength, CancellationToken cancellationToken) => new(default(FileSegment));

        public ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
        {
            if (offset >= breakAt)
            {
                throw new ForebayException(ErrorKind.StaleVersion, "changed while it was read");
            }

            int count = (int)Math.Max(0, Math.Min(destination.Length, body.Length - offset));
            body.AsMemory((int)Math.Min(offset, body.Length), count).CopyTo(destination);
            return new ValueTask<int>(count);
        }

        public void ReportUnreadable()
        {
        }

        public void Dispose()
        {
        }
    }
}
