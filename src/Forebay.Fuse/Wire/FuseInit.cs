using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Arguments of INIT. Before 7.36 the message ends after <see cref="Flags"/>. <c>struct fuse_init_in</c>, 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseInitIn
{
    /// <summary>Of the protocol, 7. Kernel: <c>major</c>, at byte 0.</summary>
    internal uint Major;

    /// <summary>Highest the kernel speaks. Kernel: <c>minor</c>, at byte 4.</summary>
    internal uint Minor;

    /// <summary>Most bytes the kernel reads ahead. Kernel: <c>max_readahead</c>, at byte 8.</summary>
    internal uint MaxReadAhead;

    /// <summary>Lower half of <see cref="FuseInitFlags"/> on offer. Kernel: <c>flags</c>, at byte 12.</summary>
    internal uint Flags;

    /// <summary>Upper half (7.36). Kernel: <c>flags2</c>, at byte 16.</summary>
    internal uint Flags2;
    private readonly uint _unused0;
    private readonly uint _unused1;
    private readonly uint _unused2;
    private readonly uint _unused3;
    private readonly uint _unused4;
    private readonly uint _unused5;
    private readonly uint _unused6;
    private readonly uint _unused7;
    private readonly uint _unused8;
    private readonly uint _unused9;
    private readonly uint _unused10;
}

/// <summary>Answer to INIT. <c>struct fuse_init_out</c>, 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal partial struct FuseInitOut
{
    /// <summary>Of the protocol, 7. Kernel: <c>major</c>, at byte 0.</summary>
    internal uint Major;

    /// <summary>That is spoken from now on. Kernel: <c>minor</c>, at byte 4.</summary>
    internal uint Minor;

    /// <summary>Most bytes the kernel shall read ahead; it takes the smaller of this and its own. Kernel: <c>max_readahead</c>, at byte 8.</summary>
    internal uint MaxReadAhead;

    /// <summary>Lower half of the features in use. Kernel: <c>flags</c>, at byte 12.</summary>
    internal uint Flags;

    /// <summary>Asynchronous requests under way at most. Kernel: <c>max_background</c>, at byte 16.</summary>
    internal ushort MaxBackground;

    /// <summary>From how many on the kernel holds back. Kernel: <c>congestion_threshold</c>, at byte 18.</summary>
    internal ushort CongestionThreshold;

    /// <summary>Most bytes of a WRITE. Kernel: <c>max_write</c>, at byte 20.</summary>
    internal uint MaxWrite;

    /// <summary>Of time stamps, nanoseconds. Kernel: <c>time_gran</c>, at byte 24.</summary>
    internal uint TimeGranularity;

    /// <summary>Most pages of a request (7.28). Kernel: <c>max_pages</c>, at byte 28.</summary>
    internal ushort MaxPages;

    /// <summary>For DAX (7.31). Kernel: <c>map_alignment</c>, at byte 30.</summary>
    internal ushort MapAlignment;

    /// <summary>Upper half of the features in use (7.36). Kernel: <c>flags2</c>, at byte 32.</summary>
    internal uint Flags2;

    /// <summary>Depth of stacked file systems with passthrough (7.40). Kernel: <c>max_stack_depth</c>, at byte 36.</summary>
    internal uint MaxStackDepth;

    /// <summary>Seconds after which the kernel ends the mount, 0 for never (7.43). Kernel: <c>request_timeout</c>, at byte 40.</summary>
    internal ushort RequestTimeout;
    private readonly ushort _unused0;
    private readonly ushort _unused1;
    private readonly ushort _unused2;
    private readonly ushort _unused3;
    private readonly ushort _unused4;
    private readonly ushort _unused5;
    private readonly ushort _unused6;
    private readonly ushort _unused7;
    private readonly ushort _unused8;
    private readonly ushort _unused9;
    private readonly ushort _unused10;
}
