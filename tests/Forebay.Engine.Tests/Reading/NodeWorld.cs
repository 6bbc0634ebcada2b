using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine.Options;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Reading;

/// <summary>A node over a store in memory that fails by script, with one tier in a directory of its own. Disposing it asserts that every buffer came back.</summary>
internal sealed class NodeWorld : IAsyncDisposable
{
    internal const int PageBytes = 64 << 10;
    private readonly bool _ownsDirectory;

    internal NodeWorld(
        TimeProvider? time = null,
        TempDirectory? directory = null,
        long? quotaBytes = 128 << 20,
        FillOptions? fill = null,
        Func<MountPointOptions, MountPointOptions>? mount = null,
        InMemoryUnderStore? memory = null)
    {
        _ownsDirectory = directory is null;
        Directory = directory ?? new TempDirectory();
        Memory = memory ?? new InMemoryUnderStore();
        Time = time ?? TimeProvider.System;
        MountPointOptions first = new() { Name = "data", Source = "memory://" };
        first = mount is null ? first : mount(first);
        var options = new NodeOptions
        {
            MountPoints = [first, new MountPointOptions { Name = "sub", Source = "memory://", Prefix = "sub/" }],
            Tiers = quotaBytes is null ? [] : [new TierOptions { Directory = Directory["tier"], QuotaBytes = quotaBytes.Value, PageSizeBytes = PageBytes }],
            Fill = fill ?? Fill,
            MemoryLimitBytes = 128 << 20,
        };
        Node = Node.Open(options, _ => new FaultyUnderStore(Memory, Plan, Time), Time);
        foreach (Tier tier in Node.Cache.Tiers)
        {
            Await(() => tier.IsStartupScanDone, "the start-up scan ends");
        }
    }

    internal static FillOptions Fill { get; } = new()
    {
        MaxRangeBytes = 1 << 20,
        MaxRangesPerReader = 4,
        RetryBaseDelay = TimeSpan.FromMilliseconds(1),
        RetryMaxDelay = TimeSpan.FromMilliseconds(2),
    };

    internal TempDirectory Directory { get; }

    internal InMemoryUnderStore Memory { get; }

    internal FaultPlan Plan { get; } = new();

    internal TimeProvider Time { get; }

    internal Node Node { get; }

    internal IMountPoint Data => Node.Find("data")!;

    internal Tier Tier => Node.Cache.Tiers[0];

    /// <summary>Ends a wait that should have ended long ago.</summary>
    internal CancellationToken Deadline { get; } = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync();
        Assert.Equal(0, Node.FillBuffers.Outstanding);
        Await(() => Node.PassThroughBuffers.Outstanding == 0, "all buffers of reads past the cache are back");
        if (_ownsDirectory)
        {
            Directory.Dispose();
        }
    }

    internal ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted = null, string mount = "data")
        => Node.Find(mount)!.OpenAsync(key, wanted, "request", Deadline);

    /// <summary>Opens and reads a range as the S3 edge does, and checks every byte.</summary>
    internal async Task ReadExactAsync(string key, long offset, long length, string mount = "data")
    {
        using IObjectReader reader = await OpenAsync(key, new ByteRange(offset, length), mount);
        await ReadExactAsync(reader, offset, Math.Min(length, reader.Stat.Length - offset), Deadline);
    }

    internal Task ReadExactAsync(string key) => ReadExactAsync(key, 0, long.MaxValue);

    /// <summary>Reads from segments while there are some, then by copy.</summary>
    /// <returns>Bytes that came from segments.</returns>
    internal static async Task<long> ReadExactAsync(IObjectReader reader, long offset, long length, CancellationToken cancellationToken)
    {
        PatternContent expected = InMemoryUnderStore.PatternOf(reader.Stat);
        byte[] buffer = new byte[256 << 10];
        long end = offset + length;
        long inSegments = 0;
        while (offset < end)
        {
            int count;
            using (FileSegment segment = await reader.GetSegmentAsync(offset, Math.Min(end - offset, buffer.Length), cancellationToken))
            {
                count = segment.IsEmpty ? 0 : RandomAccess.Read(segment.File!, buffer.AsSpan(0, (int)segment.Length), segment.Offset);
                Assert.Equal(segment.Length, count);
                inSegments += count;
            }

            if (count == 0)
            {
                count = await reader.ReadAsync(offset, buffer.AsMemory(0, (int)Math.Min(end - offset, buffer.Length)), cancellationToken);
                Assert.NotEqual(0, count);
            }

            Assert.Equal(-1, expected.FirstMismatch(offset, buffer.AsSpan(0, count)));
            offset += count;
        }

        return inSegments;
    }

    internal static void Await(Func<bool> condition, string what)
        => Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromSeconds(30)), $"waited 30 s until {what}");
}

/// <summary>Tests with whole nodes run one after the other, after the quick ones: they keep all cores and the thread pool busy.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class NodeCollection
{
    public const string Name = "nodes";
}
