using Forebay.FileSystem;
using Forebay.Mounting;
using Forebay.Mounting.Options;

namespace Forebay.Cli.Mounting;

/// <summary>Mount options as the file system takes them.</summary>
internal static class MountFileSystemOptions
{
    /// <summary>Files that nobody has open and the kernel still holds must not keep others out of the cache.</summary>
    private const long ShareOfIdleBackings = 8;

    /// <summary>Translates. Time-outs of a mount that keeps no stat are zero: the kernel asks every time.</summary>
    /// <param name="options">As they were given.</param>
    /// <param name="quotaBytes">Of all cache directories; 0 without one.</param>
    public static FileSystemOptions Of(MountOptions options, long quotaBytes)
    {
        FileSystemOptions standard = new();
        bool keepsNothing = options.MaxStatCacheSize == 0;
        return standard with
        {
            EntryTimeout = keepsNothing ? TimeSpan.Zero : options.EntryTimeout ?? standard.EntryTimeout,
            AttributeTimeout = keepsNothing ? TimeSpan.Zero : options.AttributeTimeout ?? standard.AttributeTimeout,
            NegativeTimeout = keepsNothing ? TimeSpan.Zero : options.NegativeTimeout ?? standard.NegativeTimeout,
            CacheDirectories = !keepsNothing,
            Uid = options.UserId ?? ProcessOwner.User,
            Gid = options.GroupId ?? ProcessOwner.Group,
            FileMode = (uint)options.EffectiveFileMode,
            DirectoryMode = (uint)options.EffectiveDirectoryMode,
            ModeMask = (uint)(options.Umask ?? 0),
            ObjectAttributes = options.ObjectAttributes switch
            {
                MountAttributes.Always => ObjectAttributes.Always,
                MountAttributes.Ignore => ObjectAttributes.Ignore,
                _ => ObjectAttributes.Auto,
            },
            Passthrough = options.Passthrough && options is { DirectIo: false, SmallFiles: false },
            SilentOpens = options.SmallFiles,
            DirectIo = options.DirectIo,
            MaxIdleBackingBytes = quotaBytes == 0 ? standard.MaxIdleBackingBytes : quotaBytes / ShareOfIdleBackings,
            PrefetchParallelism = options.MaxPrefetch,
        };
    }
}
