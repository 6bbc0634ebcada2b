using Forebay.Core;
using Forebay.Engine;
using Forebay.Fuse;
using Microsoft.Extensions.Logging;

namespace Forebay.FileSystem;

/// <summary>
/// Cache files that the kernel reads itself. Each holds a reference on its file, so that it counts against the quota and is not evicted; after the last
/// close some are kept ready for a while, bounded in number and bytes, since handing a file over costs more than an open. Thread-safe.
/// </summary>
/// <remarks>
/// The kernel wants one id for all opens of an inode, and keeps ids over this process: they are in the inode table before they are used, and taken
/// over from there. The id goes back only when nothing of the inode is open; it is negative in the table while it goes back, since the kernel may
/// have it already when this process is killed.
/// </remarks>
internal sealed class Backings(InodeTable table, IFileMountPoint mount, FileSystemOptions options, ILogger logger, TimeProvider time) : IDisposable
{
    /// <summary>What is not used for so long is given back, so that freed and evicted files leave the disk.</summary>
    internal static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Backing> _byNode = [];
    private readonly LinkedList<Backing> _idle = [];
    private IKernelCache? _kernel;
    private ITimer? _sweep;
    private volatile bool _isAvailable;
    private bool _toldRefusal;
    private long _idleBytes;
    private int _count;

    /// <summary>False when the kernel takes no files.</summary>
    internal bool IsAvailable => _isAvailable;

    /// <summary>Files the kernel holds.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Takes over what a killed process had handed out.</summary>
    /// <returns>Files taken over.</returns>
    internal int Connect(IKernelCache kernel)
    {
        List<InodeView> known = table.WithBacking();
        lock (_lock)
        {
            _kernel = kernel;
            _isAvailable = kernel.HasPassthrough;
            foreach (InodeView view in known)
            {
                if (view.BackingId < 0)
                {
                    _kernel.CloseBacking(-view.BackingId);
                    table.ClearBacking(view.NodeId);
                    continue;
                }

                // Without the file (evicted by a fault, or its directory is another one now) the open handles still read what the kernel holds.
                bool hasFile = Take(view.NodeId, out FileSegment file);
                var backing = new Backing(view.NodeId, view.BackingId, file);
                _byNode[view.NodeId] = backing;
                if (view.Opens == 0)
                {
                    if (!hasFile)
                    {
                        Close(backing);
                        continue;
                    }

                    Rest(backing);
                }
            }

            Trim();
            _count = _byNode.Count;
            return _count;
        }
    }

    /// <summary>The id of an inode that is about to be opened, handing its file over if it is whole; 0 when it is not.</summary>
    /// <param name="nodeId">The inode.</param>
    /// <param name="stat">Its version.</param>
    /// <param name="lent">The whole file as another process lends it, used where there is none here; empty for none, and once it is used.</param>
    internal int Open(ulong nodeId, ObjectStat stat, ref FileSegment lent)
    {
        lock (_lock)
        {
            if (!_isAvailable)
            {
                return 0;
            }

            if (_byNode.TryGetValue(nodeId, out Backing? known))
            {
                Busy(known);
                return known.Id;
            }

            bool isOwn = mount.TryTakeWhole(stat, out FileSegment file);
            if (!isOwn && lent.IsEmpty)
            {
                return 0;
            }

            int errno = _kernel!.OpenBacking((isOwn ? file : lent).File!, out int id);
            if (errno != 0)
            {
                // Not for this kernel or user: asking again for each open would only cost. Anything else may be of this file only.
                file.Dispose();
                _isAvailable = errno is not (Errno.EPERM or Errno.ENOSYS or Errno.ENOTTY or Errno.EOPNOTSUPP);
                if (!_toldRefusal)
                {
                    _toldRefusal = true;
                    FileSystemLog.NoPassthrough(logger, errno);
                }

                return 0;
            }

            if (!isOwn)
            {
                (file, lent) = (lent, default);
            }

            table.SetBacking(nodeId, id);
            _byNode.Add(nodeId, new Backing(nodeId, id, file));
            _count = _byNode.Count;
            return id;
        }
    }

    /// <summary>Nothing of an inode is open any more.</summary>
    internal void OnLastClose(ulong nodeId)
    {
        lock (_lock)
        {
            if (_byNode.TryGetValue(nodeId, out Backing? backing) && backing.Idle is null)
            {
                Rest(backing);
                Trim();
            }
        }
    }

    /// <summary>The inode is forgotten, or stands for an old version: what is kept ready for it goes.</summary>
    internal void Drop(ulong nodeId)
    {
        lock (_lock)
        {
            // One that is busy is about to be opened, or closed: then it comes to rest.
            if (_byNode.TryGetValue(nodeId, out Backing? backing) && backing.Idle is not null)
            {
                Close(backing);
            }
        }
    }

    /// <summary>Gives the references back; the kernel keeps its own, for a successor.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (Backing backing in _byNode.Values)
            {
                backing.File.Dispose();
            }

            _byNode.Clear();
            _idle.Clear();
            _idleBytes = 0;
            _isAvailable = false;
            _sweep?.Dispose();
            _sweep = null;
        }
    }

    private bool Take(ulong nodeId, out FileSegment file)
    {
        file = default;
        return table.StatOf(nodeId) is { } stat && mount.TryTakeWhole(stat, out file);
    }

    private void Rest(Backing backing)
    {
        backing.RestsSince = time.GetTimestamp();
        backing.Idle = _idle.AddLast(backing);
        _idleBytes += backing.File.Length;
        _sweep ??= time.CreateTimer(static state => ((Backings)state!).Sweep(), this, IdleTime, IdleTime);
    }

    private void Busy(Backing backing)
    {
        if (backing.Idle is not null)
        {
            _idle.Remove(backing.Idle);
            backing.Idle = null;
            _idleBytes -= backing.File.Length;
        }
    }

    private void Trim()
    {
        while (_idle.First is { } oldest && (_idle.Count > options.MaxIdleBackings || _idleBytes > options.MaxIdleBackingBytes))
        {
            Close(oldest.Value);
        }
    }

    private void Sweep()
    {
        lock (_lock)
        {
            while (_idle.First is { } oldest && time.GetElapsedTime(oldest.Value.RestsSince) >= IdleTime)
            {
                Close(oldest.Value);
            }

            if (_idle.Count == 0)
            {
                _sweep?.Dispose();
                _sweep = null;
            }
        }
    }

    private void Close(Backing backing)
    {
        Busy(backing);
        _byNode.Remove(backing.NodeId);
        _count = _byNode.Count;
        table.SetBacking(backing.NodeId, -backing.Id);
        _kernel!.CloseBacking(backing.Id);
        table.ClearBacking(backing.NodeId);
        backing.File.Dispose();
    }

    private sealed class Backing(ulong nodeId, int id, FileSegment file)
    {
        internal ulong NodeId { get; } = nodeId;

        internal int Id { get; } = id;

        internal FileSegment File { get; } = file;

        /// <summary>Time stamp of the last close.</summary>
        internal long RestsSince { get; set; }

        /// <summary>Place among those that are not open; null while open.</summary>
        internal LinkedListNode<Backing>? Idle { get; set; }
    }
}
