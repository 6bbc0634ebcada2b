namespace Forebay.Fuse;

/// <summary>What INIT is answered with. Pure.</summary>
internal static class FuseInitNegotiation
{
    internal const uint Major = 7;
    private const FuseInitFlags Never = FuseInitFlags.OverIoUring | FuseInitFlags.SetXattrExtended | FuseInitFlags.MapAlignment | FuseInitFlags.InodeDax;

    /// <summary>Agrees with a kernel of major version 7.</summary>
    /// <returns>Null when its minor version is too old; then there is no answer but an error.</returns>
    internal static FuseConnection? Agree(in FuseInitIn offer, FuseConnectionOptions options)
    {
        if (offer.Major != Major || offer.Minor < FuseConnectionOptions.OldestMinor)
        {
            return null;
        }

        FuseInitFlags offered = (FuseInitFlags)offer.Flags;
        if (offered.HasFlag(FuseInitFlags.InitExtended))
        {
            offered |= (FuseInitFlags)((ulong)offer.Flags2 << 32);
        }

        FuseInitFlags flags = offered & Wanted(options) & ~Never;
        return new FuseConnection
        {
            Minor = (int)Math.Min(offer.Minor, FuseConnectionOptions.NewestMinor),
            KernelMinor = (int)Math.Min(offer.Minor, int.MaxValue),
            Flags = flags,
            MaxWriteBytes = options.MaxWriteBytes,
            MaxReadAheadBytes = (int)Math.Min(offer.MaxReadAhead, (uint)options.MaxReadAheadBytes),

            // Without the feature the kernel sends 32 pages at most.
            MaxPages = flags.HasFlag(FuseInitFlags.MaxPages) ? options.MaxPages : 32,
            MaxBackground = options.MaxBackground,
            MaxStackDepth = flags.HasFlag(FuseInitFlags.Passthrough) ? 1 : 0,
        };
    }

    internal static FuseInitOut Answer(FuseConnection connection) => new()
    {
        Major = Major,
        Minor = (uint)connection.Minor,
        MaxReadAhead = (uint)connection.MaxReadAheadBytes,
        Flags = (uint)connection.Flags,
        Flags2 = (uint)((ulong)connection.Flags >> 32),
        MaxBackground = (ushort)connection.MaxBackground,
        CongestionThreshold = (ushort)(connection.MaxBackground * 3 / 4),
        MaxWrite = (uint)connection.MaxWriteBytes,
        TimeGranularity = 1,
        MaxPages = (ushort)connection.MaxPages,
        MaxStackDepth = (uint)connection.MaxStackDepth,
    };

    private static FuseInitFlags Wanted(FuseConnectionOptions options)
    {
        FuseInitFlags flags = FuseInitFlags.AsyncRead | FuseInitFlags.BigWrites | FuseInitFlags.AsyncDirectIo | FuseInitFlags.ParallelDirectoryOperations | FuseInitFlags.MaxPages
            | FuseInitFlags.InitExtended | FuseInitFlags.ExpireOnly | FuseInitFlags.Resend | options.AlsoAskFor;

        // Where no OPEN comes, nothing but SETATTR could refuse an open that truncates.
        flags |= options.ZeroMessageOpen ? FuseInitFlags.None : FuseInitFlags.AtomicOpenTruncate;
        flags |= options.ExplicitInvalidation ? FuseInitFlags.ExplicitInvalidateData : FuseInitFlags.AutoInvalidateData;
        flags |= options.CacheSymlinks ? FuseInitFlags.CacheSymlinks : FuseInitFlags.None;
        flags |= options.ExportSupport ? FuseInitFlags.ExportSupport : FuseInitFlags.None;
        flags |= options.ZeroMessageOpen ? FuseInitFlags.NoOpenSupport : FuseInitFlags.None;
        flags |= options.ZeroMessageOpenDirectory ? FuseInitFlags.NoOpenDirectorySupport : FuseInitFlags.None;
        flags |= options.Passthrough && !options.ZeroMessageOpen ? FuseInitFlags.Passthrough : FuseInitFlags.None;
        flags |= options.ReadDirectoryPlus switch
        {
            ReadDirectoryPlusMode.Off => FuseInitFlags.None,
            ReadDirectoryPlusMode.Auto => FuseInitFlags.ReadDirectoryPlus | FuseInitFlags.ReadDirectoryPlusAuto,
            _ => FuseInitFlags.ReadDirectoryPlus,
        };

        // The kernel refuses passthrough together with a write-back cache.
        return flags.HasFlag(FuseInitFlags.WritebackCache) ? flags & ~FuseInitFlags.Passthrough : flags;
    }
}
