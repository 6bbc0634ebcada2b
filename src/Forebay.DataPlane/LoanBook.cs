using Forebay.Core;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane;

/// <summary>What is lent to all mounts together, and its bounds. A file that is lent more than once counts once. Thread-safe.</summary>
internal sealed class LoanBook(int maxFiles, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<SafeFileHandle, int> _loansOf = new(ReferenceEqualityComparer.Instance);
    private long _bytes;

    /// <summary>Files lent.</summary>
    internal int Files
    {
        get
        {
            lock (_lock)
            {
                return _loansOf.Count;
            }
        }
    }

    /// <summary>Their bytes.</summary>
    internal long Bytes
    {
        get
        {
            lock (_lock)
            {
                return _bytes;
            }
        }
    }

    /// <summary>Notes a loan; false when it would be too much.</summary>
    /// <param name="file">The whole file; as long as it is lent, its handle is the same for everybody.</param>
    internal bool TryAdd(in FileSegment file)
    {
        lock (_lock)
        {
            int loans = _loansOf.GetValueOrDefault(file.File!);
            if (loans == 0 && (_loansOf.Count >= maxFiles || _bytes + file.Length > maxBytes))
            {
                return false;
            }

            _loansOf[file.File!] = loans + 1;
            _bytes += loans == 0 ? file.Length : 0;
            return true;
        }
    }

    /// <summary>Strikes a loan out; before its segment is disposed.</summary>
    internal void Remove(in FileSegment file)
    {
        lock (_lock)
        {
            int loans = _loansOf[file.File!] - 1;
            if (loans > 0)
            {
                _loansOf[file.File!] = loans;
                return;
            }

            _loansOf.Remove(file.File!);
            _bytes -= file.Length;
        }
    }
}
