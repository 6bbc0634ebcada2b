using Forebay.Core;

namespace Forebay.FileSystem;

/// <summary>
/// One line for each answered request, in a file, while it is switched on. Requests are put into a queue of fixed size, which a thread of its own writes out
/// five times a second: nobody who answers the kernel waits for the disk. What does not fit is counted and told in the file.
/// </summary>
/// <remarks>
/// Thread-safe. Off, it costs one look at a field and keeps no memory. A kill loses the lines of the last moment. An error of the disk costs lines, never
/// an answer: they count as dropped, and writing is tried again.
/// </remarks>
public sealed class AccessLog : IDisposable
{
    /// <summary>Requests that wait to be written; about 0.7 MB while it is on.</summary>
    public const int QueueCapacity = 8192;

    /// <summary>Bytes after which the file becomes FILE.old, in place of the one before, and another one begins.</summary>
    public const long MaxFileBytes = 64L << 20;

    private readonly TimeProvider _time;
    private readonly long _maxFileBytes;
    private readonly Lock _switching = new();
    private readonly AccessCounters _counters = new();
    private volatile AccessWriter? _writer;

    /// <summary>Creates it, switched off.</summary>
    /// <param name="time">Clock of the lines.</param>
    /// <param name="maxFileBytes">See <see cref="MaxFileBytes"/>.</param>
    public AccessLog(TimeProvider time, long maxFileBytes = MaxFileBytes)
    {
        _time = time;
        _maxFileBytes = maxFileBytes;
    }

    /// <summary>Requests are noted.</summary>
    public bool IsOn => _writer is not null;

    /// <summary>The file while it is on, else null.</summary>
    public string? FilePath => _writer?.FilePath;

    /// <summary>Lines written by this process.</summary>
    public long Lines => _counters.Lines;

    /// <summary>Requests of this process that were not written: the disk was too slow, or refused.</summary>
    public long Dropped => _counters.Dropped;

    /// <summary>The time of a line.</summary>
    internal DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>Switches it on; one that is on goes on in the other file.</summary>
    /// <param name="file">Absolute; made for its owner only (0600) when it is not there, else appended to.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: the file cannot be written; nothing was changed.</exception>
    public void Start(string file)
    {
        ArgumentNullException.ThrowIfNull(file);
        lock (_switching)
        {
            AccessWriter? before = _writer;
            if (string.Equals(before?.FilePath, file, StringComparison.Ordinal))
            {
                return;
            }

            _writer = new AccessWriter(file, _maxFileBytes, _counters);
            before?.Dispose();
        }
    }

    /// <summary>Switches it off; what was noted is written, unless the disk hangs.</summary>
    public void Stop()
    {
        lock (_switching)
        {
            AccessWriter? before = _writer;
            _writer = null;
            before?.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Stop();

    /// <summary>Notes a request; waits for nothing but the queue's lock.</summary>
    internal void Add(in AccessRecord record) => _writer?.Add(record);
}

/// <summary>What an access log counts over all its files. Thread-safe.</summary>
internal sealed class AccessCounters
{
    private long _lines;
    private long _dropped;

    internal long Lines => Interlocked.Read(ref _lines);

    internal long Dropped => Interlocked.Read(ref _dropped);

    internal void Wrote(int lines) => Interlocked.Add(ref _lines, lines);

    internal void Drop(int lines) => Interlocked.Add(ref _dropped, lines);
}
