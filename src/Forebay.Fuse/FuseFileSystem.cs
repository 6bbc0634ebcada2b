namespace Forebay.Fuse;

/// <summary>
/// A file system as the kernel asks for it: one method for each operation. Derive, override what is served, and give it to a
/// <see cref="FuseSession"/>. What is not overridden answers as documented at each method.
/// </summary>
/// <remarks>
/// Every method gets a <see cref="FuseRequest"/> that must be answered exactly once: at once, or later from any thread. The
/// requests come from the session's own threads, several at a time: never block one (a cold read is answered later) and never
/// touch the own mount from the serving process. Spans and <c>in</c> arguments are valid only until the method returns. A method
/// that throws is answered with EIO and reported to the <see cref="FuseObserver"/>; the session goes on. Names are raw bytes, not
/// empty, without '/' and NUL.
/// </remarks>
public abstract partial class FuseFileSystem
{
    /// <summary>The kernel and the session have agreed, or a successor session has started. Called once, before any request.</summary>
    /// <param name="connection">What was agreed.</param>
    public virtual void Connected(FuseConnection connection)
    {
    }

    /// <summary>The mount is gone. Called at most once; requests that are still open need no answer, their tokens are canceled.</summary>
    public virtual void Disconnected()
    {
    }

    /// <summary>LOOKUP: finds a name in the directory <see cref="FuseRequest.NodeId"/>. Answer with <see cref="FuseRequest.ReplyEntry"/>, which counts as one lookup. Else ENOENT.</summary>
    public virtual void Lookup(FuseRequest request, ReadOnlySpan<byte> name) => request.ReplyError(Errno.ENOENT);

    /// <summary>FORGET and BATCH_FORGET: lookups that the kernel gives back. There is no answer. Else ignored.</summary>
    /// <param name="forgets">One entry for each inode; an inode may be unknown here.</param>
    public virtual void Forget(ReadOnlySpan<FuseForgetOne> forgets)
    {
    }

    /// <summary>GETATTR: answer with <see cref="FuseRequest.ReplyAttr"/>. Else ENOSYS.</summary>
    public virtual void GetAttr(FuseRequest request, in FuseGetAttrIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>STATX (7.39; sent when the time of birth is asked for): answer with <see cref="FuseRequest.ReplyStatx"/>. Else ENOSYS, after which the kernel asks by GETATTR.</summary>
    public virtual void Statx(FuseRequest request, in FuseStatxIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>READLINK: answer with the target by <see cref="FuseRequest.ReplyData(ReadOnlySpan{byte})"/>, without a NUL. Else EINVAL.</summary>
    public virtual void ReadLink(FuseRequest request) => request.ReplyError(Errno.EINVAL);

    /// <summary>OPEN: answer with <see cref="FuseRequest.ReplyOpen"/>. ESTALE makes the kernel look the name up anew. Else ENOSYS: with <see cref="FuseInitFlags.NoOpenSupport"/> it ends all OPEN messages of the mount.</summary>
    public virtual void Open(FuseRequest request, in FuseOpenIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>READ: answer with at most <see cref="FuseReadIn.Size"/> bytes; fewer mean the end of the file. Else ENOSYS.</summary>
    public virtual void Read(FuseRequest request, in FuseReadIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>LSEEK: SEEK_DATA and SEEK_HOLE; answer with <see cref="FuseRequest.ReplyLseek"/>. Else ENOSYS, after which the kernel takes the whole file for data.</summary>
    public virtual void Lseek(FuseRequest request, in FuseLseekIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>FLUSH, at each close(2): answer with <see cref="FuseRequest.ReplyEmpty"/>. Else ENOSYS, after which the kernel sends none.</summary>
    public virtual void Flush(FuseRequest request, in FuseFlushIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>RELEASE, after the last close: answer with <see cref="FuseRequest.ReplyEmpty"/>. Else that.</summary>
    public virtual void Release(FuseRequest request, in FuseReleaseIn arguments) => request.ReplyEmpty();

    /// <summary>OPENDIR: as <see cref="Open"/>, for a directory. Else ENOSYS.</summary>
    public virtual void OpenDirectory(FuseRequest request, in FuseOpenIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>READDIR: answer through <see cref="FuseRequest.StartDirectory"/>. <see cref="FuseReadIn.Offset"/> is 0 or the cookie of the last entry the kernel has. Else ENOSYS.</summary>
    public virtual void ReadDirectory(FuseRequest request, in FuseReadIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>READDIRPLUS: as <see cref="ReadDirectory"/>, with an entry for each name; every entry with a nodeid other than 0 counts as one lookup (not those of "." and ".."). Else ENOSYS.</summary>
    public virtual void ReadDirectoryPlus(FuseRequest request, in FuseReadIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>RELEASEDIR: as <see cref="Release"/>, for a directory. Else success.</summary>
    public virtual void ReleaseDirectory(FuseRequest request, in FuseReleaseIn arguments) => request.ReplyEmpty();

    /// <summary>STATFS: answer with <see cref="FuseRequest.ReplyStatFs"/>. Else zeros and names of 255 bytes.</summary>
    public virtual void StatFs(FuseRequest request) => request.ReplyStatFs(new FuseStatfs { NameLength = 255, BlockSize = 4096, FragmentSize = 4096 });

    /// <summary>ACCESS (not sent with <c>default_permissions</c>): answer with <see cref="FuseRequest.ReplyEmpty"/> or EACCES. Else ENOSYS, after which the kernel allows all.</summary>
    /// <param name="request">The request.</param>
    /// <param name="mask">R_OK 4, W_OK 2, X_OK 1; 0 asks for existence.</param>
    public virtual void Access(FuseRequest request, uint mask) => request.ReplyError(Errno.ENOSYS);

    /// <summary>GETXATTR: answer with <see cref="FuseRequest.ReplyXattr"/>, or ENODATA. Else ENOSYS, after which the kernel asks no more.</summary>
    /// <param name="request">The request.</param>
    /// <param name="name">Name with its prefix, for example <c>user.x</c>.</param>
    /// <param name="size">Room of the caller; 0 asks for the length. Pass it on to <see cref="FuseRequest.ReplyXattr"/>.</param>
    public virtual void GetXattr(FuseRequest request, ReadOnlySpan<byte> name, uint size) => request.ReplyError(Errno.ENOSYS);

    /// <summary>LISTXATTR: answer with all names, each followed by a NUL, through <see cref="FuseRequest.ReplyXattr"/>. Else ENOSYS.</summary>
    /// <param name="request">The request.</param>
    /// <param name="size">Room of the caller; 0 asks for the length.</param>
    public virtual void ListXattr(FuseRequest request, uint size) => request.ReplyError(Errno.ENOSYS);

    /// <summary>IOCTL: answer with <see cref="FuseRequest.ReplyIoctl"/>. Else ENOTTY.</summary>
    public virtual void Ioctl(FuseRequest request, in FuseIoctlIn arguments, ReadOnlySpan<byte> input) => request.ReplyError(Errno.ENOTTY);

    /// <summary>POLL: answer with <see cref="FuseRequest.ReplyPoll"/>. Else ENOSYS, after which the kernel takes files for always ready.</summary>
    public virtual void Poll(FuseRequest request, in FusePollIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>BMAP, block devices only: answer with <see cref="FuseRequest.ReplyBmap"/>. Else ENOSYS.</summary>
    public virtual void Bmap(FuseRequest request, in FuseBmapIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>SYNCFS (7.34): answer with <see cref="FuseRequest.ReplyEmpty"/>. Else ENOSYS.</summary>
    public virtual void SyncFs(FuseRequest request) => request.ReplyError(Errno.ENOSYS);

    /// <summary>FSYNC: answer with <see cref="FuseRequest.ReplyEmpty"/>. Else ENOSYS, which the kernel takes for success: nothing is ever dirty on a file system that only reads.</summary>
    public virtual void Fsync(FuseRequest request, in FuseFsyncIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>FSYNCDIR: as <see cref="Fsync"/>.</summary>
    public virtual void FsyncDirectory(FuseRequest request, in FuseFsyncIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>GETLK (only with <see cref="FuseInitFlags.PosixLocks"/>): answer with <see cref="FuseRequest.ReplyLock"/>. Else ENOSYS.</summary>
    public virtual void GetLock(FuseRequest request, in FuseLockIn arguments) => request.ReplyError(Errno.ENOSYS);

    /// <summary>SETLK and SETLKW (only with <see cref="FuseInitFlags.PosixLocks"/> or <see cref="FuseInitFlags.FlockLocks"/>): answer with <see cref="FuseRequest.ReplyEmpty"/>. Else ENOSYS.</summary>
    /// <param name="request">The request.</param>
    /// <param name="arguments">The lock.</param>
    /// <param name="wait">True for SETLKW: answer when the lock is held, or EINTR.</param>
    public virtual void SetLock(FuseRequest request, in FuseLockIn arguments, bool wait) => request.ReplyError(Errno.ENOSYS);
}
