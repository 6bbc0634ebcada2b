using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Hands the arguments of a request to the file system.</summary>
/// <returns>False when the arguments cannot be understood; nothing was answered then.</returns>
internal delegate bool FuseHandler(FuseDispatcher dispatcher, FuseRequest request, ref FuseMessageReader arguments);

/// <summary>One row of the table of operations.</summary>
/// <param name="Opcode">What is asked.</param>
/// <param name="Name">The kernel's name without its prefix.</param>
/// <param name="MinimumInput">Least bytes of arguments after the header.</param>
/// <param name="HasReply">False for what is never answered.</param>
/// <param name="Since">Minor version that introduced it; 0 for what was there before 7.9.</param>
/// <param name="Handler">Hands the arguments over.</param>
internal sealed record FuseOperation(FuseOpcode Opcode, string Name, int MinimumInput, bool HasReply, int Since, FuseHandler Handler)
{
    private static readonly FuseOperation?[] ByOpcode = Index();

    /// <summary>All operations that are understood; every other opcode is answered with ENOSYS.</summary>
    internal static IReadOnlyList<FuseOperation> All { get; } = [.. ByOpcode.OfType<FuseOperation>()];

    /// <summary>Opcodes are below this.</summary>
    internal static int OpcodeLimit => ByOpcode.Length;

    internal static FuseOperation? Find(uint opcode) => opcode < (uint)ByOpcode.Length ? ByOpcode[opcode] : null;

    private static FuseOperation?[] Index()
    {
        FuseOperation[] rows = Rows();
        FuseOperation?[] index = new FuseOperation?[rows.Max(static row => (int)row.Opcode) + 1];
        foreach (FuseOperation row in rows)
        {
            index[(int)row.Opcode] = index[(int)row.Opcode] is null ? row : throw new InvalidOperationException($"{row.Name} is there twice.");
        }

        return index;
    }

    private static FuseOperation[] Rows() =>
    [
        Named(FuseOpcode.Lookup, "LOOKUP", static (f, r, n) => f.Lookup(r, n)),
        new(FuseOpcode.Forget, "FORGET", Unsafe.SizeOf<FuseForgetIn>(), HasReply: false, 0, static (d, r, ref a) => Forget(d.FileSystem, ref a)),
        With<FuseGetAttrIn>(FuseOpcode.GetAttr, "GETATTR", 0, static (f, r, in a) => f.GetAttr(r, a)),
        With<FuseSetAttrIn>(FuseOpcode.SetAttr, "SETATTR", 0, static (f, r, in a) => f.SetAttr(r, a)),
        Bare(FuseOpcode.ReadLink, "READLINK", static (f, r) => f.ReadLink(r)),
        new(FuseOpcode.SymLink, "SYMLINK", 4, HasReply: true, 0, static (d, r, ref a) => SymLink(d.FileSystem, r, ref a)),
        WithName<FuseMakeNodeIn>(FuseOpcode.MakeNode, "MKNOD", 0, static (f, r, in a, n) => f.MakeNode(r, a, n)),
        WithName<FuseMakeDirectoryIn>(FuseOpcode.MakeDirectory, "MKDIR", 0, static (f, r, in a, n) => f.MakeDirectory(r, a, n)),
        Named(FuseOpcode.Unlink, "UNLINK", static (f, r, n) => f.Unlink(r, n)),
        Named(FuseOpcode.RemoveDirectory, "RMDIR", static (f, r, n) => f.RemoveDirectory(r, n)),
        new(FuseOpcode.Rename, "RENAME", sizeof(ulong) + 4, HasReply: true, 0, static (d, r, ref a) => a.TryTake(out ulong parent) && Rename(d.FileSystem, r, new FuseRenameIn { NewParent = parent }, ref a)),
        WithName<FuseLinkIn>(FuseOpcode.Link, "LINK", 0, static (f, r, in a, n) => f.Link(r, a.OldNodeId, n)),
        With<FuseOpenIn>(FuseOpcode.Open, "OPEN", 0, static (f, r, in a) => f.Open(r, a)),
        With<FuseReadIn>(FuseOpcode.Read, "READ", 0, static (f, r, in a) => f.Read(r, a)),
        new(FuseOpcode.Write, "WRITE", Unsafe.SizeOf<FuseWriteIn>(), HasReply: true, 0, static (d, r, ref a) => Write(d.FileSystem, r, ref a)),
        Bare(FuseOpcode.StatFs, "STATFS", static (f, r) => f.StatFs(r)),
        With<FuseReleaseIn>(FuseOpcode.Release, "RELEASE", 0, static (f, r, in a) => f.Release(r, a)),
        With<FuseFsyncIn>(FuseOpcode.Fsync, "FSYNC", 0, static (f, r, in a) => f.Fsync(r, a)),
        new(FuseOpcode.SetXattr, "SETXATTR", Unsafe.SizeOf<FuseSetXattrIn>() + 2, HasReply: true, 0, static (d, r, ref a) => SetXattr(d.FileSystem, r, ref a)),
        WithName<FuseGetXattrIn>(FuseOpcode.GetXattr, "GETXATTR", 0, static (f, r, in a, n) => f.GetXattr(r, n, a.Size)),
        With<FuseGetXattrIn>(FuseOpcode.ListXattr, "LISTXATTR", 0, static (f, r, in a) => f.ListXattr(r, a.Size)),
        Named(FuseOpcode.RemoveXattr, "REMOVEXATTR", static (f, r, n) => f.RemoveXattr(r, n)),
        With<FuseFlushIn>(FuseOpcode.Flush, "FLUSH", 0, static (f, r, in a) => f.Flush(r, a)),

        // Kernels before 7.36 end the message after the lower flags.
        new(FuseOpcode.Init, "INIT", 16, HasReply: true, 0, static (d, r, ref a) => d.Init(r, ref a)),
        With<FuseOpenIn>(FuseOpcode.OpenDirectory, "OPENDIR", 0, static (f, r, in a) => f.OpenDirectory(r, a)),
        With<FuseReadIn>(FuseOpcode.ReadDirectory, "READDIR", 0, static (f, r, in a) => f.ReadDirectory(r, a)),
        With<FuseReleaseIn>(FuseOpcode.ReleaseDirectory, "RELEASEDIR", 0, static (f, r, in a) => f.ReleaseDirectory(r, a)),
        With<FuseFsyncIn>(FuseOpcode.FsyncDirectory, "FSYNCDIR", 0, static (f, r, in a) => f.FsyncDirectory(r, a)),
        With<FuseLockIn>(FuseOpcode.GetLock, "GETLK", 0, static (f, r, in a) => f.GetLock(r, a)),
        With<FuseLockIn>(FuseOpcode.SetLock, "SETLK", 0, static (f, r, in a) => f.SetLock(r, a, wait: false)),
        With<FuseLockIn>(FuseOpcode.SetLockWait, "SETLKW", 0, static (f, r, in a) => f.SetLock(r, a, wait: true)),
        With<FuseAccessIn>(FuseOpcode.Access, "ACCESS", 0, static (f, r, in a) => f.Access(r, a.Mask)),
        WithName<FuseCreateIn>(FuseOpcode.Create, "CREATE", 0, static (f, r, in a, n) => f.Create(r, a, n)),
        new(FuseOpcode.Interrupt, "INTERRUPT", Unsafe.SizeOf<FuseInterruptIn>(), HasReply: false, 0, static (d, r, ref a) => d.Interrupt(ref a)),
        With<FuseBmapIn>(FuseOpcode.Bmap, "BMAP", 0, static (f, r, in a) => f.Bmap(r, a)),
        Bare(FuseOpcode.Destroy, "DESTROY", static (f, r) => r.ReplyEmpty()),
        new(FuseOpcode.Ioctl, "IOCTL", Unsafe.SizeOf<FuseIoctlIn>(), HasReply: true, 11, static (d, r, ref a) => Ioctl(d.FileSystem, r, ref a)),
        With<FusePollIn>(FuseOpcode.Poll, "POLL", 11, static (f, r, in a) => f.Poll(r, a)),
        new(FuseOpcode.NotifyReply, "NOTIFY_REPLY", 0, HasReply: false, 15, static (d, r, ref a) => true),
        new(FuseOpcode.BatchForget, "BATCH_FORGET", Unsafe.SizeOf<FuseBatchForgetIn>(), HasReply: false, 16, static (d, r, ref a) => BatchForget(d.FileSystem, ref a)),
        With<FuseFallocateIn>(FuseOpcode.Fallocate, "FALLOCATE", 19, static (f, r, in a) => f.Fallocate(r, a)),
        With<FuseReadIn>(FuseOpcode.ReadDirectoryPlus, "READDIRPLUS", 21, static (f, r, in a) => f.ReadDirectoryPlus(r, a)),
        new(FuseOpcode.Rename2, "RENAME2", Unsafe.SizeOf<FuseRenameIn>() + 4, HasReply: true, 23, static (d, r, ref a) => a.TryTake(out FuseRenameIn rename) && Rename(d.FileSystem, r, rename, ref a)),
        With<FuseLseekIn>(FuseOpcode.Lseek, "LSEEK", 24, static (f, r, in a) => f.Lseek(r, a)),
        With<FuseCopyFileRangeIn>(FuseOpcode.CopyFileRange, "COPY_FILE_RANGE", 28, static (f, r, in a) => f.CopyFileRange(r, a)),
        With<FuseSyncFsIn>(FuseOpcode.SyncFs, "SYNCFS", 34, static (f, r, in a) => f.SyncFs(r)),

        // The kernel sends "/" for the name that the file does not have.
        new(FuseOpcode.TempFile, "TMPFILE", Unsafe.SizeOf<FuseCreateIn>() + 2, HasReply: true, 37, static (d, r, ref a) => TempFile(d.FileSystem, r, ref a)),
        With<FuseStatxIn>(FuseOpcode.Statx, "STATX", 39, static (f, r, in a) => f.Statx(r, a)),
        With<FuseCopyFileRangeIn>(FuseOpcode.CopyFileRange64, "COPY_FILE_RANGE_64", 45, static (f, r, in a) => f.CopyFileRange(r, a)),
    ];

    private delegate void BareCall(FuseFileSystem fileSystem, FuseRequest request);

    private delegate void NamedCall(FuseFileSystem fileSystem, FuseRequest request, ReadOnlySpan<byte> name);

    private delegate void CallWith<T>(FuseFileSystem fileSystem, FuseRequest request, in T arguments);

    private delegate void CallWithName<T>(FuseFileSystem fileSystem, FuseRequest request, in T arguments, ReadOnlySpan<byte> name);

    private static FuseOperation Bare(FuseOpcode opcode, string name, BareCall call)
        => new(opcode, name, 0, HasReply: true, 0, (d, r, ref a) =>
        {
            if (!a.IsAtEnd)
            {
                return false;
            }

            call(d.FileSystem, r);
            return true;
        });

    private static FuseOperation Named(FuseOpcode opcode, string name, NamedCall call)
        => new(opcode, name, 2, HasReply: true, 0, (d, r, ref a) =>
        {
            if (!a.TryTakeName(out ReadOnlySpan<byte> text) || !a.IsAtEnd)
            {
                return false;
            }

            call(d.FileSystem, r, text);
            return true;
        });

    private static FuseOperation With<T>(FuseOpcode opcode, string name, int since, CallWith<T> call)
        where T : unmanaged
        => new(opcode, name, Unsafe.SizeOf<T>(), HasReply: true, since, (d, r, ref a) =>
        {
            if (!a.TryTakeLast(out T value))
            {
                return false;
            }

            call(d.FileSystem, r, value);
            return true;
        });

    private static FuseOperation WithName<T>(FuseOpcode opcode, string name, int since, CallWithName<T> call)
        where T : unmanaged
        => new(opcode, name, Unsafe.SizeOf<T>() + 2, HasReply: true, since, (d, r, ref a) =>
        {
            if (!a.TryTake(out T value) || !a.TryTakeName(out ReadOnlySpan<byte> text) || !a.IsAtEnd)
            {
                return false;
            }

            call(d.FileSystem, r, value, text);
            return true;
        });

    private static bool SymLink(FuseFileSystem fileSystem, FuseRequest request, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTakeName(out ReadOnlySpan<byte> name) || !arguments.TryTakeText(out ReadOnlySpan<byte> target) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.SymLink(request, name, target);
        return true;
    }

    private static bool TempFile(FuseFileSystem fileSystem, FuseRequest request, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTake(out FuseCreateIn create) || !arguments.TryTakeText(out _) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.TempFile(request, create);
        return true;
    }

    private static bool Rename(FuseFileSystem fileSystem, FuseRequest request, in FuseRenameIn rename, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTakeName(out ReadOnlySpan<byte> oldName) || !arguments.TryTakeName(out ReadOnlySpan<byte> newName) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.Rename(request, rename, oldName, newName);
        return true;
    }

    private static bool Write(FuseFileSystem fileSystem, FuseRequest request, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTake(out FuseWriteIn write) || !arguments.TryTakeBytes(write.Size, out ReadOnlySpan<byte> data) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.Write(request, write, data);
        return true;
    }

    private static bool SetXattr(FuseFileSystem fileSystem, FuseRequest request, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTake(out FuseSetXattrIn set) || !arguments.TryTakeName(out ReadOnlySpan<byte> name) || !arguments.TryTakeBytes(set.Size, out ReadOnlySpan<byte> value) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.SetXattr(request, set, name, value);
        return true;
    }

    private static bool Ioctl(FuseFileSystem fileSystem, FuseRequest request, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTake(out FuseIoctlIn ioctl) || !arguments.TryTakeBytes(ioctl.InSize, out ReadOnlySpan<byte> input) || !arguments.IsAtEnd)
        {
            return false;
        }

        fileSystem.Ioctl(request, ioctl, input);
        return true;
    }

    private static bool Forget(FuseFileSystem fileSystem, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTakeLast(out FuseForgetIn forget))
        {
            return false;
        }

        FuseForgetOne one = new() { NodeId = arguments.NodeId, Lookups = forget.Lookups };
        fileSystem.Forget(new ReadOnlySpan<FuseForgetOne>(in one));
        return true;
    }

    private static bool BatchForget(FuseFileSystem fileSystem, ref FuseMessageReader arguments)
    {
        if (!arguments.TryTake(out FuseBatchForgetIn batch) || (ulong)batch.Count * (ulong)Unsafe.SizeOf<FuseForgetOne>() != (ulong)arguments.Rest.Length)
        {
            return false;
        }

        fileSystem.Forget(MemoryMarshal.Cast<byte, FuseForgetOne>(arguments.Rest));
        return true;
    }
}
