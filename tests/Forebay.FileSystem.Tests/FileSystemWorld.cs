using Forebay.Caching;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Options;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Forebay.FileSystem.Tests;

/// <summary>A file system over a node over a store in memory that fails by script.</summary>
internal sealed class FileSystemWorld : IAsyncDisposable
{
    internal FileSystemWorld(
        FileSystemOptions? options = null,
        TimeProvider? time = null,
        Func<MountPointOptions, MountPointOptions>? mount = null,
        bool passthrough = false,
        long quotaBytes = 256 << 20,
        bool withKernel = true,
        int inodes = 20_000,
        IWholeFileSource? lenders = null)
    {
        _lenders = lenders;
        Region = InodeRegion.Allocate(inodes);
        Options = options ?? new FileSystemOptions();
        Time = time ?? TimeProvider.System;
        _processTime = new ProcessTime(Time);
        MountPointOptions point = new() { Name = "data", Source = "memory://" };
        Node = Node.Open(
            new NodeOptions
            {
                MountPoints = [mount is null ? point : mount(point)],
                Tiers = quotaBytes == 0 ? [] : [new TierOptions { Directory = Directory["tier"], QuotaBytes = quotaBytes, PageSizeBytes = 64 << 10 }],
                Fill = new FillOptions { RetryBaseDelay = TimeSpan.FromMilliseconds(1), RetryMaxDelay = TimeSpan.FromMilliseconds(2), MaxAttempts = 2 },
                MemoryLimitBytes = 256 << 20,
            },
            _ => new FaultyUnderStore(Memory, Plan, Time),
            Time);
        FileSystem = Make();
        if (withKernel)
        {
            Kernel = new FakeKernel(FileSystem, passthrough);
        }
    }

    private readonly IWholeFileSource? _lenders;
    private ProcessTime _processTime;

    internal TempDirectory Directory { get; } = new();

    internal InMemoryUnderStore Memory { get; } = new();

    internal FaultPlan Plan { get; } = new();

    internal TimeProvider Time { get; }

    internal FileSystemOptions Options { get; }

    internal Node Node { get; }

    internal IFileMountPoint Mount => Node.FindFiles("data")!;

    internal InodeRegion Region { get; }

    internal MountedFileSystem FileSystem { get; private set; }

    internal FakeKernel Kernel { get; private set; } = null!;

    /// <summary>As after a kill -9: the process is another one, the memory of the table is the same.</summary>
    internal void Restart()
    {
        bool passthrough = Kernel.HasPassthrough;
        RestartWithoutKernel();
        Kernel = new FakeKernel(FileSystem, passthrough, Kernel);
    }

    internal void RestartWithoutKernel()
    {
        _processTime.Kill();
        _processTime = new ProcessTime(Time);
        FileSystem = Make();
    }

    public async ValueTask DisposeAsync()
    {
        Kernel?.Dispose();
        FileSystem.Dispose();
        await Node.DisposeAsync();
        Region.Dispose();
        Directory.Dispose();
    }

    internal async Task LoadAsync(params string[] paths)
    {
        foreach (string path in paths)
        {
            await Mount.BringAsync(await Mount.StatAsync(path, null, CancellationToken.None), CancellationToken.None);
        }
    }

    internal void AssertContent(string key, long offset, byte[] actual)
    {
        ObjectStat stat = Memory.Peek(key)!;
        Assert.NotEmpty(actual);
        Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(offset, actual));
    }

    private MountedFileSystem Make() => new(Mount, Options, Region, NullLogger.Instance, _processTime, _lenders);
}
