namespace Forebay.FileSystem;

/// <content>What the kernel must forget because the engine did.</content>
public sealed partial class MountedFileSystem
{
    private const int ForgottenAtOnce = 1_024;
    private readonly Lock _untoldLock = new();
    private int _isMakingRoom;
    private string? _untold;
    private bool _isTelling;

    /// <summary>Has the kernel let go of names nobody uses (of files opened without a message none is known to be used) once nine tenths of the table are taken.</summary>
    private void MakeRoom()
    {
        if (_table.Count < _table.Capacity - (_table.Capacity / 10) || _kernel is not { } kernel || Interlocked.Exchange(ref _isMakingRoom, 1) != 0)
        {
            return;
        }

        _ = Task.Run(() =>
        {
            ulong[] unused = new ulong[ForgottenAtOnce];
            byte[] name = new byte[InodeTable.MostNameBytes];
            foreach (ulong nodeId in unused.AsSpan(0, _table.FindUnused(unused)))
            {
                int length = _table.NameOf(nodeId, name, out ulong parent);
                if (length > 0)
                {
                    kernel.DropName(parent, name.AsSpan(0, length));
                }
            }

            Volatile.Write(ref _isMakingRoom, 0);
        });
    }

    /// <summary>A version proved to be gone. A kernel that asks before it opens is told then; one that does not must look the name up.</summary>
    private void ForgetVersion(ulong nodeId)
    {
        if (_options.SilentOpens && _kernel is { } kernel && _table.PathOf(nodeId) is { } path && !TryForgetName(kernel, path))
        {
            TellLater(kernel, path[..(path.LastIndexOf('/') + 1)]);
        }

        _table.SetOutdated(nodeId);
    }

    /// <summary>Metadata of a path, or with a trailing slash or empty of everything below, is not believed any more.</summary>
    private void OnForgotten(string path)
    {
        _markers.Forget();
        if (_kernel is not { } kernel)
        {
            return;
        }

        if (path.Length == 0 || path.EndsWith('/'))
        {
            _streams.UnlistAll();
            int place = 1;
            if (!TryForgetBelow(kernel, path, kernel.ExpireAllNames(), ref place))
            {
                TellLater(kernel, path);
            }

            return;
        }

        if (!TryForgetName(kernel, path))
        {
            TellLater(kernel, path[..(path.LastIndexOf('/') + 1)]);
        }
    }

    private bool TryForgetName(IKernelCache kernel, string path)
    {
        ulong parent = InodeTable.Root;
        Span<byte> buffer = stackalloc byte[InodeTable.MostNameBytes];
        foreach (Range segment in path.AsSpan().Split('/'))
        {
            ReadOnlySpan<byte> name = buffer[..NameRules.Encode(path.AsSpan(segment), buffer)];
            if (name.IsEmpty)
            {
                // No path: the kernel was never given such a name.
                return true;
            }

            bool isLast = segment.End.GetOffset(path.Length) == path.Length;
            ulong child = _table.Peek(parent, name);
            if (isLast || child == 0)
            {
                // Also where the kernel knows no such inode: it may know that the name does not exist.
                _streams.Unlist(parent);
                return kernel.DropInode(parent) & kernel.DropName(parent, name);
            }

            parent = child;
        }

        return true;
    }

    /// <summary>Drops what the kernel has of listings below a prefix, and of names where one message for all of them does not do.</summary>
    /// <param name="kernel">Is told.</param>
    /// <param name="prefix">Empty or with a trailing slash.</param>
    /// <param name="areNamesDone">All names are expired already.</param>
    /// <param name="place">Where to begin in the inode table; on false, with what the kernel could not be told.</param>
    private bool TryForgetBelow(IKernelCache kernel, string prefix, bool areNamesDone, ref int place)
    {
        var part = new List<InodeView>();
        byte[] name = new byte[InodeTable.MostNameBytes];
        while (place != 0)
        {
            part.Clear();
            int next = _table.CollectPart(place, onlyDirectories: areNamesDone, part);
            foreach (InodeView view in part)
            {
                if (!TryForget(kernel, view, prefix, areNamesDone, name))
                {
                    place = InodeTable.PlaceOf(view.NodeId);
                    return false;
                }
            }

            place = next;
        }

        return true;
    }

    private bool TryForget(IKernelCache kernel, in InodeView view, string prefix, bool isNameDone, byte[] buffer)
    {
        if (prefix.Length > 0 && (_table.PathOf(view.NodeId) is not { } path || !(path + "/").StartsWith(prefix, StringComparison.Ordinal)))
        {
            return true;
        }

        if (view.Kind == InodeKind.Directory && !kernel.DropInode(view.NodeId))
        {
            return false;
        }

        if (isNameDone || view.IsOutdated)
        {
            return true;
        }

        int length = _table.NameOf(view.NodeId, buffer, out ulong parent);
        return length == 0 || kernel.DropName(parent, buffer.AsSpan(0, length));
    }

    /// <summary>Notes what the kernel could not be told, and tells it as its queue empties: names it goes on to believe would be wrong for ever where nothing expires.</summary>
    private void TellLater(IKernelCache kernel, string prefix)
    {
        lock (_untoldLock)
        {
            _untold = _untold is null ? prefix : CommonDirectory(_untold, prefix);
            if (_isTelling)
            {
                return;
            }

            _isTelling = true;
        }

        _ = Task.Run(() => TellAsync(kernel));
    }

    private async Task TellAsync(IKernelCache kernel)
    {
        while (true)
        {
            bool isHeard = await kernel.DrainAsync();
            string? prefix;
            lock (_untoldLock)
            {
                prefix = isHeard ? _untold : null;
                _untold = null;
                _isTelling = prefix is not null;
            }

            if (prefix is null)
            {
                return;
            }

            int place = 1;
            bool areNamesDone = kernel.ExpireAllNames();
            while (isHeard && !TryForgetBelow(kernel, prefix, areNamesDone, ref place))
            {
                isHeard = await kernel.DrainAsync();
            }
        }
    }

    private static string CommonDirectory(string first, string second)
    {
        int length = first.AsSpan().CommonPrefixLength(second);
        return first[..(first.AsSpan(0, length).LastIndexOf('/') + 1)];
    }
}
