using System.Text;

namespace Forebay.FileSystem;

/// <content>What the kernel must forget because the engine did.</content>
public sealed partial class MountedFileSystem
{
    private const int ForgottenAtOnce = 1_024;
    private int _isMakingRoom;

    /// <summary>Has the kernel let go of names nobody uses once nine tenths of the table are taken.</summary>
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

    /// <summary>Metadata of a path, or with a trailing slash or empty of everything below, is not believed any more.</summary>
    private void OnForgotten(string path)
    {
        if (_kernel is not { } kernel)
        {
            return;
        }

        if (path.Length == 0 || path.EndsWith('/'))
        {
            ForgetBelow(kernel, path);
            return;
        }

        ulong parent = InodeTable.Root;
        foreach (Range segment in path.AsSpan().Split('/'))
        {
            byte[] name = Encoding.UTF8.GetBytes(path[segment]);
            bool isLast = segment.End.GetOffset(path.Length) == path.Length;
            ulong child = _table.Peek(parent, name);
            if (isLast || child == 0)
            {
                // Also where the kernel knows no such inode: it may know that the name does not exist.
                ForgetListing(kernel, parent);
                kernel.DropName(parent, name);
                return;
            }

            parent = child;
        }
    }

    private void ForgetListing(IKernelCache kernel, ulong directory)
    {
        _streams.Unlist(directory);
        kernel.DropInode(directory);
    }

    private void ForgetBelow(IKernelCache kernel, string prefix)
    {
        // One message for all names, where the kernel knows it; else one for each that it may have.
        bool isDone = kernel.ExpireAllNames();
        _streams.UnlistAll();
        var name = new byte[InodeTable.MostNameBytes];
        foreach (InodeView view in _table.Snapshot())
        {
            if (view.Kind != InodeKind.Directory && isDone)
            {
                continue;
            }

            if (_table.PathOf(view.NodeId) is not { } path || !(path + "/").StartsWith(prefix, StringComparison.Ordinal))
            {
                continue;
            }

            if (view.Kind == InodeKind.Directory)
            {
                kernel.DropInode(view.NodeId);
            }

            int length = _table.NameOf(view.NodeId, name, out ulong parent);
            if (!isDone && length > 0 && !view.IsOutdated)
            {
                kernel.DropName(parent, name.AsSpan(0, length));
            }
        }
    }
}
