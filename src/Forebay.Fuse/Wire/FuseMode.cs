namespace Forebay.Fuse;

/// <summary>File types as the upper bits of <see cref="FuseAttr.Mode"/>.</summary>
public static class FuseMode
{
    /// <summary>S_IFMT: the bits that hold the type.</summary>
    public const uint TypeMask = 0xF000;

    /// <summary>S_IFDIR.</summary>
    public const uint Directory = 0x4000;

    /// <summary>S_IFREG.</summary>
    public const uint File = 0x8000;

    /// <summary>S_IFLNK.</summary>
    public const uint SymbolicLink = 0xA000;
}
