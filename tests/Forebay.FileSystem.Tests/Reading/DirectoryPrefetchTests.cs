using System.Globalization;
using Forebay.Core;
using Forebay.Engine;
using Xunit;

namespace Forebay.FileSystem.Tests.Reading;

public sealed class DirectoryPrefetchTests
{
    [Fact]
    public void AFileThatIsSlowEndsTheWorkWhenItEndsHoweverManyWereBroughtMeanwhile()
    {
        const int Files = 50_000;
        var mount = new SlowFileMount(Files);
        using var prefetch = new DirectoryPrefetch(mount, new FileSystemOptions(), lenders: null);

        prefetch.OnColdRead(SlowFileMount.Stat(0), wasListed: true);
        Assert.True(SpinWait.SpinUntil(() => prefetch.Files == Files - 2, TimeSpan.FromSeconds(60)), $"only {prefetch.Files} files were brought in");
        Assert.False(prefetch.IsIdle, "ended before its last file");
        mount.Release.SetResult();

        Assert.True(SpinWait.SpinUntil(() => prefetch.IsIdle, TimeSpan.FromSeconds(30)), "the end was not seen");
        Assert.Equal(Files - 1, prefetch.Files);
    }

    /// <summary>One directory of many files, of which the second takes as long as the test wants.</summary>
    private sealed class SlowFileMount(int files) : IFileMountPoint
    {
        internal TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => "data";

        public string Source => "memory://";

        public DateTimeOffset MountedAt => DateTimeOffset.UnixEpoch;

        public ValueTask<DirectoryPage> ListDirectoryAsync(string prefix, string? after, int maxEntries, string? requestId, CancellationToken cancellationToken)
        {
            int first = after is null ? 0 : int.Parse(after.AsSpan(2), CultureInfo.InvariantCulture) + 1;
            ListEntry[] entries = [.. Enumerable.Range(first, Math.Min(maxEntries, files - first)).Select(i => new ListEntry(Stat(i).Key, Stat(i)))];
            return new ValueTask<DirectoryPage>(new DirectoryPage(entries, IsTruncated: first + entries.Length < files, TimeSpan.Zero));
        }

        public async ValueTask<long> BringAsync(ObjectStat stat, CancellationToken cancellationToken)
        {
            if (stat.Key == Stat(1).Key)
            {
                await Release.Task;
            }

            return 1;
        }

        internal static ObjectStat Stat(int index)
        {
            string key = string.Create(CultureInfo.InvariantCulture, $"d/{index:d8}");
            return new ObjectStat(key, 1, new VersionToken("\"1\""), DateTimeOffset.UnixEpoch) { ETag = "\"1\"" };
        }

        public void WatchForgotten(Action<string> watcher) => throw new NotSupportedException();

        public bool TryResolve(string path, NameDetail detail, out ResolvedName answer) => throw new NotSupportedException();

        public ValueTask<ResolvedName> ResolveAsync(string path, NameDetail detail, string? requestId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IFileReader OpenVersion(ObjectStat stat, string? requestId) => throw new NotSupportedException();

        public bool TryTakeWhole(ObjectStat stat, out FileSegment file) => throw new NotSupportedException();

        public long CachedBytesOf(ObjectStat stat) => throw new NotSupportedException();

        public ValueTask<ObjectStat> StatAsync(string key, string? requestId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<IObjectReader> OpenAsync(string key, ByteRange? wanted, string? requestId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask RefreshAsync(string keyOrPrefix, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
