using System.Globalization;
using System.Text;
using Forebay.Core;

namespace Forebay.FileSystem;

/// <summary>The queue of an access log and the thread that writes it to one file. Thread-safe; the file is touched by that thread alone.</summary>
internal sealed class AccessWriter : IDisposable
{
    private const int BatchRecords = 512;
    private static readonly TimeSpan WritePeriod = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(2);

    private readonly long _maxFileBytes;
    private readonly AccessCounters _counters;
    private readonly Lock _lock = new();
    private readonly AccessRecord[] _queue = new AccessRecord[AccessLog.QueueCapacity];
    private readonly AutoResetEvent _hurry = new(initialState: false);
    private readonly Func<string, Stream> _open;
    private readonly Thread _thread;
    private Stream? _stream;
    private int _first;
    private int _count;
    private bool _isTorn;
    private volatile bool _isEnding;

    /// <summary>Opens the file and begins.</summary>
    /// <param name="file">Absolute.</param>
    /// <param name="maxFileBytes">Then the file becomes FILE.old.</param>
    /// <param name="counters">Counts lines.</param>
    /// <param name="open">Opens the file at its end; null for that of the disk.</param>
    /// <exception cref="ForebayException"><see cref="ErrorKind.InvalidArgument"/>: it cannot be written.</exception>
    internal AccessWriter(string file, long maxFileBytes, AccessCounters counters, Func<string, Stream>? open = null)
    {
        FilePath = file;
        _maxFileBytes = maxFileBytes;
        _counters = counters;
        _open = open ?? OpenFile;
        try
        {
            _stream = _open(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"The access log cannot be written to {file}: {e.Message} Name another file, in a directory that the user of the mount may write to.", e);
        }

        // Not when the thread begins to run: on a busy machine the queue may have been full before.
        long told = counters.Dropped;
        _thread = new Thread(() => Run(told)) { IsBackground = true, Name = "access-log" };
        _thread.Start();
    }

    internal string FilePath { get; }

    /// <summary>Queues a record, or counts it as dropped.</summary>
    internal void Add(in AccessRecord record)
    {
        bool isFilling;
        lock (_lock)
        {
            if (_count == _queue.Length)
            {
                _counters.Drop(1);
                return;
            }

            _queue[(_first + _count) % _queue.Length] = record;
            isFilling = ++_count == _queue.Length / 2;
        }

        if (isFilling)
        {
            _hurry.Set();
        }
    }

    /// <summary>Has the thread write what is queued and end; a disk that hangs keeps it longer than this waits.</summary>
    public void Dispose()
    {
        _isEnding = true;
        _hurry.Set();
        if (_thread.Join(EndPatience))
        {
            _hurry.Dispose();
        }
    }

    private static FileStream OpenFile(string file)
    {
        FileStream stream = new(file, new FileStreamOptions
        {
            Mode = FileMode.Append,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        if (stream.Length == 0)
        {
            stream.Write(Encoding.UTF8.GetBytes(AccessLine.Header));
        }

        return stream;
    }

    private void Run(long told)
    {
        StringBuilder text = new();
        AccessRecord[] batch = new AccessRecord[BatchRecords];
        while (true)
        {
            bool isLast = _isEnding;
            int taken = Take(batch);
            if (taken == 0)
            {
                if (isLast)
                {
                    _stream?.Dispose();
                    return;
                }

                _hurry.WaitOne(WritePeriod);
                continue;
            }

            long dropped = _counters.Dropped;
            if (dropped > told)
            {
                text.Append(CultureInfo.InvariantCulture, $"#{dropped - told} requests before this line are missing: the disk was too slow, or refused them\n");
            }

            for (int i = 0; i < taken; i++)
            {
                AccessLine.Append(text, batch[i]);
            }

            Array.Clear(batch, 0, taken);
            if (TryWrite(text))
            {
                _counters.Wrote(taken);
                told = dropped;
            }
            else
            {
                _counters.Drop(taken);
            }

            text.Clear();
        }
    }

    private int Take(AccessRecord[] batch)
    {
        lock (_lock)
        {
            int taken = Math.Min(_count, batch.Length);
            for (int i = 0; i < taken; i++)
            {
                int at = (_first + i) % _queue.Length;
                batch[i] = _queue[at];
                _queue[at] = default;
            }

            _first = (_first + taken) % _queue.Length;
            _count -= taken;
            return taken;
        }
    }

    private bool TryWrite(StringBuilder text)
    {
        try
        {
            if (_stream is { } full && full.Length >= _maxFileBytes)
            {
                full.Dispose();
                _stream = null;
                File.Move(FilePath, FilePath + ".old", overwrite: true);
            }

            _stream ??= _open(FilePath);
            byte[] bytes = Encoding.UTF8.GetBytes((_isTorn ? "\n" : "") + text);
            _stream.Write(bytes, 0, bytes.Length);
            _isTorn = false;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Part of a line may have been written.
            _isTorn = true;
            _stream?.Dispose();
            _stream = null;
            return false;
        }
    }
}
