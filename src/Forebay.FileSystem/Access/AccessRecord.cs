using Forebay.Fuse;

namespace Forebay.FileSystem;

/// <summary>One answered request of the kernel, as the access log writes it.</summary>
/// <param name="Time">When it was answered.</param>
/// <param name="Opcode">What was asked.</param>
/// <param name="NodeId">Inode it was about.</param>
/// <param name="Path">Its path below the mount point, without a slash in front; null when there is none any more.</param>
/// <param name="Offset">First byte asked for; −1 where there is none.</param>
/// <param name="Bytes">Bytes asked for, or of the answer.</param>
/// <param name="Errno">0, or the positive errno of the answer.</param>
/// <param name="Elapsed">From the read of the request to its answer.</param>
/// <param name="Source">Where the answer came from; null where that says nothing.</param>
internal readonly record struct AccessRecord(DateTimeOffset Time, FuseOpcode Opcode, ulong NodeId, string? Path, long Offset, int Bytes, int Errno, TimeSpan Elapsed, string? Source);

/// <summary>Where an answer came from.</summary>
internal static class AccessSource
{
    /// <summary>The kernel reads the file itself.</summary>
    internal const string Passthrough = "passthrough";

    /// <summary>The file is read through the worker.</summary>
    internal const string Worker = "worker";

    /// <summary>Answered at once: from a verified cache file, or metadata that is believed.</summary>
    internal const string Hot = "hot";

    /// <summary>Waited: for bytes, a check of bytes, or the under-store.</summary>
    internal const string Cold = "cold";
}
