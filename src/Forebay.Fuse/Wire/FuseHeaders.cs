using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Begins every request of the kernel. All integers are in the machine's byte order, which is little-endian on every supported machine. <c>struct fuse_in_header</c>, 40 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public partial struct FuseInHeader
{
    /// <summary>Bytes of the whole message with this header. Kernel: <c>len</c>, at byte 0.</summary>
    public uint Length;

    /// <summary>See <see cref="FuseOpcode"/>. Kernel: <c>opcode</c>, at byte 4.</summary>
    public uint Opcode;

    /// <summary>Id that the reply repeats. Bit 63 marks a request sent again after <see cref="FuseNotifier.Resend"/>. Kernel: <c>unique</c>, at byte 8.</summary>
    public ulong Unique;

    /// <summary>Inode the request is about, 0 for none. Kernel: <c>nodeid</c>, at byte 16.</summary>
    public ulong NodeId;

    /// <summary>File system user id of the caller. Kernel: <c>uid</c>, at byte 24.</summary>
    public uint Uid;

    /// <summary>File system group id of the caller. Kernel: <c>gid</c>, at byte 28.</summary>
    public uint Gid;

    /// <summary>Thread id of the caller, 0 when the kernel itself asks (read-ahead, for one). Kernel: <c>pid</c>, at byte 32.</summary>
    public uint Pid;

    /// <summary>Length of the extensions at the end of the message in units of 8 bytes (7.38). Kernel: <c>total_extlen</c>, at byte 36.</summary>
    public ushort ExtensionWords;
    private readonly ushort _padding38;
}

/// <summary>Begins every reply and notification. <c>struct fuse_out_header</c>, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseOutHeader
{
    /// <summary>Bytes of the whole message with this header. Kernel: <c>len</c>, at byte 0.</summary>
    internal uint Length;

    /// <summary>0, a negated errno, or the code of a notification. Kernel: <c>error</c>, at byte 4.</summary>
    internal int Error;

    /// <summary>Id of the request, 0 for a notification. Kernel: <c>unique</c>, at byte 8.</summary>
    internal ulong Unique;
}
