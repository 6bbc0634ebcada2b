using System.Collections.Concurrent;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Testing;

namespace Forebay.FileSystem.Tests;

/// <summary>Lends files of its own directory that hold what the store has.</summary>
internal sealed class Lender : IWholeFileSource, IFileReference, IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly ConcurrentDictionary<string, string> _files = new(StringComparer.Ordinal);
    private int _asked;
    private int _out;

    public bool IsAvailable => true;

    internal int Asked => Volatile.Read(ref _asked);

    /// <summary>What asking ends with.</summary>
    internal Exception? Failure { get; set; }

    internal int Out => Volatile.Read(ref _out);

    /// <summary>For a file that was read: a read ends just after it was answered, and what was lent goes with the last one.</summary>
    internal Task HasAllBackAsync() => Eventually.TrueAsync("all that was lent is given back", () => Out == 0);

    internal void Lend(ObjectStat stat)
    {
        byte[] bytes = new byte[stat.Length];
        InMemoryUnderStore.PatternOf(stat).Fill(0, bytes);
        File.WriteAllBytes(_directory[stat.Key], bytes);
        _files[stat.Key] = stat.ETag;
    }

    internal void Truncate(string key)
    {
        using FileStream file = new(_directory[key], FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength(10);
    }

    internal void Unlink(string key) => File.Delete(_directory[key]);

    public async ValueTask<FileSegment> BorrowAsync(ObjectStat stat, CancellationToken cancellationToken)
    {
        await Task.Yield();
        Interlocked.Increment(ref _asked);
        if (Failure is { } failure)
        {
            throw failure;
        }

        if (!_files.TryGetValue(stat.Key, out string? etag) || etag != stat.ETag)
        {
            return default;
        }

        Interlocked.Increment(ref _out);
        return new FileSegment(File.OpenHandle(_directory[stat.Key], FileMode.Open, FileAccess.Read, FileShare.ReadWrite), 0, stat.Length, this);
    }

    public void Release(ByteRange range) => Interlocked.Decrement(ref _out);

    public void Dispose() => _directory.Dispose();
}
