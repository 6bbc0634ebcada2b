using System.Security.Cryptography;
using System.Text;

namespace Forebay.Core;

/// <summary>
/// Names one under-store by what it is, not by how it is mounted: a hash of canonical scheme, endpoint and bucket or root.
/// Mount name, prefix and credentials do not enter, so two mount points of one bucket share cached bytes.
/// </summary>
/// <param name="Value">32 lower-case hexadecimal digits.</param>
public readonly record struct UnderStoreId(string Value)
{
    /// <summary>Derives the id.</summary>
    /// <param name="scheme">Lower-case canonical scheme, for instance <c>s3</c> or <c>file</c>.</param>
    /// <param name="endpoint">Canonical endpoint (scheme, host, port), empty where there is none.</param>
    /// <param name="root">Bucket, or absolute root directory.</param>
    public static UnderStoreId From(string scheme, string endpoint, string root)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{scheme}\n{endpoint}\n{root}"));
        return new UnderStoreId(Convert.ToHexStringLower(hash.AsSpan(0, 16)));
    }

    /// <inheritdoc/>
    public override string ToString() => Value;
}
