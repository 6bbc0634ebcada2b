namespace Forebay.DataPlane;

/// <summary>What a <see cref="FileBorrower"/> is told.</summary>
public sealed class FileBorrowerOptions
{
    /// <summary>Path of the node's socket.</summary>
    public required string Path { get; init; }

    /// <summary>Name of the mount point on the node.</summary>
    public required string Mount { get; init; }

    /// <summary>Put before each key: empty, or ends with <c>/</c>.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Key pair of the node, first half; null for a node that takes unsigned requests.</summary>
    public string? AccessKeyId { get; init; }

    /// <summary>Its second half.</summary>
    public string? SecretAccessKey { get; init; }

    /// <summary>Longest wait for an answer; then the file is read as if it could not be borrowed.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Text without the secret.</summary>
    public override string ToString() => $"{Mount}/{Prefix} at {Path}";
}
