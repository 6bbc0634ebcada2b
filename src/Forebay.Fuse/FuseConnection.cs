using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>
/// What kernel and session agreed on in INIT. It holds for the life of the mount, over every successor session: the holder of
/// the mount keeps it as bytes (<see cref="ToBytes"/>) and gives it to the next session.
/// </summary>
public sealed record FuseConnection
{
    /// <summary>Length of <see cref="ToBytes"/>.</summary>
    public const int ByteCount = 56;

    private const uint Magic = 0x4E435546; // "FUCN" read as little-endian text: FUse CoNnection
    private const uint FormatVersion = 1;

    /// <summary>Minor version that is spoken: the smaller of both sides, 31–45.</summary>
    public required int Minor { get; init; }

    /// <summary>Highest minor version of the kernel.</summary>
    public required int KernelMinor { get; init; }

    /// <summary>Features in use.</summary>
    public required FuseInitFlags Flags { get; init; }

    /// <summary>Most bytes of a WRITE; sets the size of the buffers that requests are read into.</summary>
    public required int MaxWriteBytes { get; init; }

    /// <summary>Most bytes that the kernel reads ahead by itself; <c>read_ahead_kb</c> of the mount raises it (<see cref="FuseMount.SetReadAhead"/>).</summary>
    public required int MaxReadAheadBytes { get; init; }

    /// <summary>Most pages of 4 KiB of a request: the size of the largest READ.</summary>
    public required int MaxPages { get; init; }

    /// <summary>Asynchronous requests under way at most.</summary>
    public required int MaxBackground { get; init; }

    /// <summary>Depth of stacked file systems; 0 without passthrough.</summary>
    public required int MaxStackDepth { get; init; }

    /// <summary>True when a feature is in use.</summary>
    public bool Has(FuseInitFlags flag) => (Flags & flag) == flag;

    /// <summary>The agreement as bytes, for <see cref="TryParse"/> of a successor, which may be a newer version of the program.</summary>
    /// <returns>A new array of <see cref="ByteCount"/> bytes.</returns>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[ByteCount];
        Layout layout = new()
        {
            Magic = Magic, Version = FormatVersion, Minor = Minor, KernelMinor = KernelMinor, Flags = (ulong)Flags, MaxWriteBytes = MaxWriteBytes,
            MaxReadAheadBytes = MaxReadAheadBytes, MaxPages = MaxPages, MaxBackground = MaxBackground, MaxStackDepth = MaxStackDepth,
        };
        MemoryMarshal.Write(bytes, layout);
        return bytes;
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <returns>Null when the bytes are no agreement, or one that makes no sense.</returns>
    public static FuseConnection? TryParse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < ByteCount)
        {
            return null;
        }

        Layout layout = MemoryMarshal.Read<Layout>(bytes);
        bool sane = layout is
        {
            Magic: Magic, Version: FormatVersion, Minor: >= FuseConnectionOptions.OldestMinor and <= FuseConnectionOptions.NewestMinor, MaxWriteBytes: >= 4096 and <= (1 << 20),
            MaxReadAheadBytes: >= 0, MaxPages: >= 1 and <= ushort.MaxValue, MaxBackground: >= 0, MaxStackDepth: >= 0 and <= 2,
        };
        return !sane ? null : new FuseConnection
        {
            Minor = layout.Minor, KernelMinor = layout.KernelMinor, Flags = (FuseInitFlags)layout.Flags, MaxWriteBytes = layout.MaxWriteBytes,
            MaxReadAheadBytes = layout.MaxReadAheadBytes, MaxPages = layout.MaxPages, MaxBackground = layout.MaxBackground, MaxStackDepth = layout.MaxStackDepth,
        };
    }

    /// <summary>Offset, size: 0 4 magic · 4 4 version · 8 4 minor · 12 4 kernel's minor · 16 8 flags · 24 4 max write · 28 4 read-ahead · 32 4 pages · 36 4 background · 40 4 depth · 44 12 zero.</summary>
    [StructLayout(LayoutKind.Sequential, Size = ByteCount)]
    private struct Layout
    {
        internal uint Magic;
        internal uint Version;
        internal int Minor;
        internal int KernelMinor;
        internal ulong Flags;
        internal int MaxWriteBytes;
        internal int MaxReadAheadBytes;
        internal int MaxPages;
        internal int MaxBackground;
        internal int MaxStackDepth;
    }
}
