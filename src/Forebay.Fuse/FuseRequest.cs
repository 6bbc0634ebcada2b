using System.Diagnostics.CodeAnalysis;

namespace Forebay.Fuse;

/// <summary>
/// One request of the kernel, to be answered exactly once, by any thread. A small value to be copied freely; it is usable until it
/// was answered and the method that got it has returned.
/// </summary>
/// <remarks>
/// A second answer, or any use after the end, throws <see cref="InvalidOperationException"/> and sends nothing. An answer never
/// fails for reasons outside: when the kernel no longer waits (the mount is gone, the caller was killed) it is dropped. Nothing is
/// allocated, except by <see cref="Token"/>.
/// </remarks>
public readonly partial struct FuseRequest : IEquatable<FuseRequest>
{
    private readonly FuseRequestContext _context;
    private readonly long _serial;

    internal FuseRequest(FuseRequestContext context)
    {
        _context = context;
        _serial = context.Serial;
    }

    /// <summary>What is asked.</summary>
    public FuseOpcode Opcode => (FuseOpcode)Live.Header.Opcode;

    /// <summary>Id of the request, with bit 63 when <see cref="IsRepeated"/>.</summary>
    public ulong Unique => Live.Header.Unique;

    /// <summary>Inode it is about; for operations on names, the directory.</summary>
    public ulong NodeId => Live.Header.NodeId;

    /// <summary>File system user id of the caller.</summary>
    public uint Uid => Live.Header.Uid;

    /// <summary>File system group id of the caller.</summary>
    public uint Gid => Live.Header.Gid;

    /// <summary>Thread id of the caller; 0 when the kernel asks on its own account.</summary>
    public uint Pid => Live.Header.Pid;

    /// <summary>True when the kernel sent the request again because of <see cref="FuseNotifier.Resend"/>: a predecessor may have carried it out.</summary>
    public bool IsRepeated => Live.IsRepeated;

    /// <summary>True when the caller got a signal or the mount is gone: an answer of EINTR is enough.</summary>
    public bool IsInterrupted => Live.IsInterrupted;

    /// <summary>Canceled when the caller got a signal or the mount is gone. Made when first asked for; do not keep it beyond the answer.</summary>
    public CancellationToken Token => Live.TokenOf(_serial);

    /// <summary>Tells that the request has come forward: <see cref="FuseSession.LongestWait"/> counts its wait from now on. Its time in the statistics goes on.</summary>
    public void Renew() => Live.Renew(_serial);

    /// <summary>What was noted about the request; nothing at first. For <see cref="FuseCompletion.Note"/>, before the answer.</summary>
    public FuseRequestNote Noted => Live.Note;

    /// <summary>Notes something about the request, in place of what was noted before.</summary>
    public void Note(in FuseRequestNote note) => Live.Note = note;

    private FuseRequestContext Live
    {
        get
        {
            if (_context is null || !_context.IsUseOf(_serial))
            {
                ThrowStale();
            }

            return _context;
        }
    }

    /// <inheritdoc/>
    public bool Equals(FuseRequest other) => ReferenceEquals(_context, other._context) && _serial == other._serial;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FuseRequest other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_context, _serial);

    /// <summary>Same request.</summary>
    public static bool operator ==(FuseRequest left, FuseRequest right) => left.Equals(right);

    /// <summary>Not the same request.</summary>
    public static bool operator !=(FuseRequest left, FuseRequest right) => !left.Equals(right);

    [DoesNotReturn]
    internal static void ThrowStale() => throw new InvalidOperationException("The request has ended: it was answered already.");
}
