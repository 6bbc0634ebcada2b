using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Forebay.DataPlane.Tests;

/// <summary>A node over a store in memory that lends, and mounts that borrow, over real sockets.</summary>
internal sealed class LendingWorld : IAsyncDisposable
{
    internal const string Key = "key";
    internal const string Secret = "the secret";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly List<FileBorrower> _borrowers = [];

    internal LendingWorld(Func<FileLenderOptions, FileLenderOptions>? change = null, TimeSpan? metadataTtl = null)
    {
        Node = Node.Open(
            new NodeOptions
            {
                MountPoints = [new MountPointOptions { Name = "data", Source = "memory://", MetadataTtl = metadataTtl ?? TimeSpan.FromHours(1) }],
                Tiers = [new TierOptions { Directory = Directory["tier"], QuotaBytes = 64 << 20, PageSizeBytes = 64 << 10 }],
                Fill = new FillOptions { RetryBaseDelay = TimeSpan.FromMilliseconds(1), RetryMaxDelay = TimeSpan.FromMilliseconds(2), MaxAttempts = 2 },
                MemoryLimitBytes = 256 << 20,
            },
            _ => new FaultyUnderStore(Memory, Plan, TimeProvider.System),
            TimeProvider.System);
        Options = new FileLenderOptions
        {
            Path = Directory["socket"],
            NodeId = Guid.NewGuid(),
            Find = Node.FindFiles,
            SecretOf = id => id == Key ? Secret : null,
            MayRead = (id, _, key) => id == Key && key.StartsWith(ReadablePrefix, StringComparison.Ordinal),
        };
        Options = change?.Invoke(Options) ?? Options;
        Lender = FileLender.Start(Options, LogTime, Log);
    }

    internal TempDirectory Directory { get; } = new();

    internal InMemoryUnderStore Memory { get; } = new();

    internal FaultPlan Plan { get; } = new();

    internal Node Node { get; }

    internal FileLenderOptions Options { get; }

    internal FileLender Lender { get; private set; }

    /// <summary>What the lender says.</summary>
    internal LoggedEvents Log { get; } = new();

    /// <summary>The clock of that log; it stands still.</summary>
    internal ManualTimeProvider LogTime { get; } = new();

    internal long UsedBytes => Node.GetStatus().Tiers[0].UsedBytes;

    /// <summary>Keys that begin with this may be read.</summary>
    internal string ReadablePrefix { get; set; } = "";

    /// <summary>Stores an object and brings it into the cache.</summary>
    internal async Task<ObjectStat> BringAsync(string key, long length)
    {
        Memory.PutPattern(key, length);
        ObjectStat stat = await Node.Find("data")!.StatAsync(key, null, CancellationToken.None);
        await Node.FindFiles("data")!.BringAsync(stat, CancellationToken.None);
        return stat;
    }

    internal FileBorrower Borrower(string? key = Key, string? secret = Secret, string mount = "data", string prefix = "", TimeSpan? patience = null)
    {
        FileBorrower borrower = new(
            new FileBorrowerOptions { Path = Options.Path, Mount = mount, Prefix = prefix, AccessKeyId = key, SecretAccessKey = secret, Patience = patience ?? Patience }, TimeProvider.System, NullLogger.Instance);
        _borrowers.Add(borrower);
        borrower.Start();
        return borrower;
    }

    internal FileBorrower Connected()
    {
        FileBorrower borrower = Borrower();
        Eventually("the mount is connected", () => borrower.IsAvailable);
        return borrower;
    }

    internal void StopLender() => Lender.Dispose();

    internal void StartLender() => Lender = FileLender.Start(Options with { NodeId = Guid.NewGuid() }, LogTime, Log);

    internal static void Eventually(string what, Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, Patience), $"not within {Patience.TotalSeconds} s: {what}");

    internal static void AssertContent(ObjectStat stat, FileSegment file)
    {
        byte[] bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, RandomAccess.Read(file.File!, bytes, file.Offset));
        Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(0, bytes));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (FileBorrower borrower in _borrowers)
        {
            borrower.Dispose();
        }

        Lender.Dispose();
        await Node.DisposeAsync();
        Directory.Dispose();
    }
}
