using Forebay.Engine;

namespace Forebay.DataPlane;

/// <summary>What a <see cref="FileLender"/> is told.</summary>
public sealed record FileLenderOptions
{
    /// <summary>Path of the socket; its directory must be its owner's only.</summary>
    public required string Path { get; init; }

    /// <summary>The node, as its admin API names it.</summary>
    public required Guid NodeId { get; init; }

    /// <summary>Finds a mount point; null when there is none of that name.</summary>
    public required Func<string, IFileMountPoint?> Find { get; init; }

    /// <summary>Secret of a key pair, by its id; null when there is none of this id. Called from several threads.</summary>
    public required Func<string, string?> SecretOf { get; init; }

    /// <summary>True when an object may be read, as by a signed request: by which key pair (one that was proved; null for whoever shows none), of which mount point, which key below it. Called from several threads.</summary>
    public required Func<string?, string, string, bool> MayRead { get; init; }

    /// <summary>Most connections, ≥ 1; each mount has one, and each a thread here. More are closed at once.</summary>
    public int MaxConnections { get; init; } = 64;

    /// <summary>Most files lent at the same time, ≥ 0. Each keeps a descriptor open, and its file from being evicted.</summary>
    public int MaxFiles { get; init; } = 4096;

    /// <summary>Most bytes of the files lent at the same time.</summary>
    public long MaxBytes { get; init; } = long.MaxValue;
}
