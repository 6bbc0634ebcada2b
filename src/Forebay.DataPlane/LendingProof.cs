using System.Security.Cryptography;
using System.Text;

namespace Forebay.DataPlane;

/// <summary>Shows that one has the secret of a key pair, without telling it: a keyed hash over a challenge that is used once.</summary>
internal static class LendingProof
{
    /// <summary>HMAC-SHA256 by the secret over what is claimed.</summary>
    /// <param name="secret">Secret access key.</param>
    /// <param name="node">The node that asks.</param>
    /// <param name="challenge">What it asked.</param>
    /// <param name="accessKeyId">The key pair.</param>
    /// <param name="mount">The mount point that is to be read.</param>
    /// <param name="proof">Receives 32 bytes.</param>
    internal static void Compute(string secret, Guid node, ReadOnlySpan<byte> challenge, string accessKeyId, string mount, Span<byte> proof)
    {
        byte[] claim = [.. "forebay-lend-1\0"u8, .. node.ToByteArray(), .. challenge, .. Encoding.UTF8.GetBytes($"{accessKeyId}\0{mount}")];
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), claim, proof);
    }
}
