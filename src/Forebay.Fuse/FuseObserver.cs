namespace Forebay.Fuse;

/// <summary>Sees what a session does: for logs, metrics and access logs. Called from session threads and from whoever replies; must be quick and must not throw.</summary>
public abstract class FuseObserver
{
    /// <summary>A request was answered.</summary>
    public virtual void Completed(in FuseCompletion completion)
    {
    }

    /// <summary>Something went wrong that no caller is told in words: a handler threw, a message was malformed, the kernel refused a reply.</summary>
    /// <param name="fault">What it was.</param>
    public virtual void Faulted(FuseFault fault)
    {
    }
}

/// <summary>One answered request.</summary>
/// <param name="Opcode">What was asked.</param>
/// <param name="NodeId">Inode it was about.</param>
/// <param name="Pid">Thread id of the caller, 0 for the kernel.</param>
/// <param name="Errno">0, or the positive errno of the answer.</param>
/// <param name="ReplyBytes">Bytes of the answer without its header.</param>
/// <param name="Elapsed">From the read of the request to the answer.</param>
/// <param name="IsRepeated">The request was sent again after a resend.</param>
/// <param name="Note">What the file system noted about it.</param>
public readonly record struct FuseCompletion(FuseOpcode Opcode, ulong NodeId, uint Pid, int Errno, int ReplyBytes, TimeSpan Elapsed, bool IsRepeated, FuseRequestNote Note);

/// <summary>What a file system notes about a request for the observer; kept until the answer, by reference where it is text.</summary>
/// <param name="Name">Name in the directory that the request is about, or null.</param>
/// <param name="Offset">First byte asked for.</param>
/// <param name="Bytes">Bytes asked for.</param>
/// <param name="Source">Where the answer comes from, or null.</param>
/// <param name="Errno">Errno that an answer without one stands for: "does not exist" is told as an entry without inode. 0 for none.</param>
public readonly record struct FuseRequestNote(string? Name, long Offset, int Bytes, string? Source, int Errno = 0);

/// <summary>A fault of a session.</summary>
/// <param name="Kind">Which kind.</param>
/// <param name="What">One sentence.</param>
/// <param name="Error">The exception, or null.</param>
public sealed record FuseFault(FuseFaultKind Kind, string What, Exception? Error);

/// <summary>Kinds of <see cref="FuseFault"/>.</summary>
public enum FuseFaultKind
{
    /// <summary>A method of the file system threw; the request was answered with EIO.</summary>
    Handler,

    /// <summary>A message could not be understood; it was answered with EINVAL, or dropped when it has no answer.</summary>
    Malformed,

    /// <summary>The kernel refused a reply or a notification.</summary>
    Refused,

    /// <summary>The session ended by an error of the device.</summary>
    Device,
}
