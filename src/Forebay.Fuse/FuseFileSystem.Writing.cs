namespace Forebay.Fuse;

/// <content>What changes the file system. All of it answers EROFS unless overridden.</content>
public abstract partial class FuseFileSystem
{
    /// <summary>SETATTR (also truncate): answer with <see cref="FuseRequest.ReplyAttr"/>.</summary>
    public virtual void SetAttr(FuseRequest request, in FuseSetAttrIn arguments) => request.ReplyError(Errno.EROFS);

    /// <summary>MKNOD: makes a file or special file in the directory <see cref="FuseRequest.NodeId"/>; answer with <see cref="FuseRequest.ReplyEntry"/>.</summary>
    public virtual void MakeNode(FuseRequest request, in FuseMakeNodeIn arguments, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);

    /// <summary>MKDIR: answer with <see cref="FuseRequest.ReplyEntry"/>.</summary>
    public virtual void MakeDirectory(FuseRequest request, in FuseMakeDirectoryIn arguments, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);

    /// <summary>SYMLINK: answer with <see cref="FuseRequest.ReplyEntry"/>.</summary>
    /// <param name="request">The request; its nodeid is the directory.</param>
    /// <param name="name">Name of the link.</param>
    /// <param name="target">What it points to, any bytes without NUL, not empty.</param>
    public virtual void SymLink(FuseRequest request, ReadOnlySpan<byte> name, ReadOnlySpan<byte> target) => request.ReplyError(Errno.EROFS);

    /// <summary>UNLINK: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    public virtual void Unlink(FuseRequest request, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);

    /// <summary>RMDIR: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    public virtual void RemoveDirectory(FuseRequest request, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);

    /// <summary>RENAME and RENAME2: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    /// <param name="request">The request; its nodeid is the directory of the old name.</param>
    /// <param name="arguments">New directory and flags; flags are 0 for RENAME.</param>
    /// <param name="oldName">Name now.</param>
    /// <param name="newName">Name then.</param>
    public virtual void Rename(FuseRequest request, in FuseRenameIn arguments, ReadOnlySpan<byte> oldName, ReadOnlySpan<byte> newName) => request.ReplyError(Errno.EROFS);

    /// <summary>LINK: answer with <see cref="FuseRequest.ReplyEntry"/>.</summary>
    /// <param name="request">The request; its nodeid is the directory of the new name.</param>
    /// <param name="oldNodeId">Inode that gets the name.</param>
    /// <param name="newName">The name.</param>
    public virtual void Link(FuseRequest request, ulong oldNodeId, ReadOnlySpan<byte> newName) => request.ReplyError(Errno.EROFS);

    /// <summary>CREATE: makes and opens; answer with <see cref="FuseRequest.ReplyCreate"/>.</summary>
    public virtual void Create(FuseRequest request, in FuseCreateIn arguments, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);

    /// <summary>TMPFILE (7.37): makes and opens a file without a name; answer with <see cref="FuseRequest.ReplyCreate"/>.</summary>
    public virtual void TempFile(FuseRequest request, in FuseCreateIn arguments) => request.ReplyError(Errno.EROFS);

    /// <summary>WRITE: answer with <see cref="FuseRequest.ReplyWrite"/>.</summary>
    /// <param name="request">The request.</param>
    /// <param name="arguments">Where to.</param>
    /// <param name="data">Exactly <see cref="FuseWriteIn.Size"/> bytes; valid only until this returns.</param>
    public virtual void Write(FuseRequest request, in FuseWriteIn arguments, ReadOnlySpan<byte> data) => request.ReplyError(Errno.EROFS);

    /// <summary>FALLOCATE: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    public virtual void Fallocate(FuseRequest request, in FuseFallocateIn arguments) => request.ReplyError(Errno.EROFS);

    /// <summary>COPY_FILE_RANGE and COPY_FILE_RANGE_64: answer with <see cref="FuseRequest.ReplyCopied"/>.</summary>
    public virtual void CopyFileRange(FuseRequest request, in FuseCopyFileRangeIn arguments) => request.ReplyError(Errno.EROFS);

    /// <summary>SETXATTR: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    public virtual void SetXattr(FuseRequest request, in FuseSetXattrIn arguments, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => request.ReplyError(Errno.EROFS);

    /// <summary>REMOVEXATTR: answer with <see cref="FuseRequest.ReplyEmpty"/>.</summary>
    public virtual void RemoveXattr(FuseRequest request, ReadOnlySpan<byte> name) => request.ReplyError(Errno.EROFS);
}
