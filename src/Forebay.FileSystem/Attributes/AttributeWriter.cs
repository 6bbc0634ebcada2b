using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <summary>Makes what stat(2) shows of an inode.</summary>
internal sealed class AttributeWriter(FileSystemOptions options)
{
    private const uint BlockSizeBytes = 128 << 10;
    private const uint PermissionBits = 0xFFF;
    private const uint LinkMode = 0x1FF; // 0777, as links have everywhere

    /// <summary>Attributes of an inode.</summary>
    internal FuseAttr Of(in InodeView view) => Make(view.Kind, view.Inode, view.Size, view.Attributes);

    /// <summary>Attributes of something that has no inode yet.</summary>
    internal FuseAttr Make(InodeKind kind, ulong inode, long size, in InodeAttributes attributes)
    {
        (long seconds, long rest) = Math.DivRem(attributes.ModifiedTicks, TimeSpan.TicksPerSecond);
        if (rest < 0)
        {
            seconds--;
            rest += TimeSpan.TicksPerSecond;
        }

        uint nanoseconds = (uint)rest * 100;
        return new FuseAttr
        {
            Inode = inode,
            Size = kind == InodeKind.Directory ? 4096 : (ulong)size,
            Blocks = kind == InodeKind.Directory ? 8 : (ulong)((size + 511) / 512),
            AccessSeconds = (ulong)seconds,
            ModifySeconds = (ulong)seconds,
            ChangeSeconds = (ulong)seconds,
            AccessNanoseconds = nanoseconds,
            ModifyNanoseconds = nanoseconds,
            ChangeNanoseconds = nanoseconds,
            Mode = ModeOf(kind, attributes.Mode),
            Links = kind == InodeKind.Directory ? 2u : 1u,
            Uid = attributes.Uid == InodeAttributes.Unknown ? options.Uid : attributes.Uid,
            Gid = attributes.Gid == InodeAttributes.Unknown ? options.Gid : attributes.Gid,
            BlockSize = BlockSizeBytes,
        };
    }

    /// <summary>The same for statx(2); the time of birth is not known.</summary>
    internal static FuseStatx ToStatx(in FuseAttr attr)
    {
        var time = new FuseStatxTime { Seconds = (long)attr.ModifySeconds, Nanoseconds = attr.ModifyNanoseconds };
        return new FuseStatx
        {
            Mask = 0x7FF,
            BlockSize = attr.BlockSize,
            Links = attr.Links,
            Uid = attr.Uid,
            Gid = attr.Gid,
            Mode = (ushort)attr.Mode,
            Inode = attr.Inode,
            Size = attr.Size,
            Blocks = attr.Blocks,
            Access = time,
            Change = time,
            Modify = time,
        };
    }

    private uint ModeOf(InodeKind kind, uint mode) => kind switch
    {
        InodeKind.Directory => FuseMode.Directory | PermissionsOf(mode, options.DirectoryMode),
        InodeKind.SymbolicLink => FuseMode.SymbolicLink | LinkMode,
        _ => FuseMode.File | PermissionsOf(mode, options.FileMode),
    };

    private uint PermissionsOf(uint mode, uint otherwise) => PermissionBits & (mode == InodeAttributes.Unknown ? otherwise : mode & ~options.ModeMask);
}
