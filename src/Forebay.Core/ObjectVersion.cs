using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Forebay.Core;

/// <summary>
/// One immutable version of one object: the unit that cached bytes belong to. Two versions are the same exactly when
/// under-store, key, token and length are the same.
/// </summary>
public sealed record ObjectVersion
{
    /// <summary>Creates a version and derives its <see cref="Id"/>.</summary>
    /// <param name="underStore">The under-store that holds the object.</param>
    /// <param name="key">Full key in the under-store (the mount point's prefix included).</param>
    /// <param name="token">The under-store's name for this version.</param>
    /// <param name="length">Length in bytes, ≥ 0.</param>
    public ObjectVersion(UnderStoreId underStore, string key, VersionToken token, long length)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        UnderStore = underStore;
        Key = key;
        Token = token;
        Length = length;
        Id = VersionId.From(underStore, key, token, length);
    }

    /// <summary>The under-store that holds the object.</summary>
    public UnderStoreId UnderStore { get; }

    /// <summary>Full key in the under-store.</summary>
    public string Key { get; }

    /// <summary>The under-store's name for this version.</summary>
    public VersionToken Token { get; }

    /// <summary>Length in bytes.</summary>
    public long Length { get; }

    /// <summary>128-bit digest of the four parts above.</summary>
    public VersionId Id { get; }
}

/// <summary>First 128 bits of the SHA-256 over the parts of an <see cref="ObjectVersion"/>; names files and index rows.</summary>
/// <param name="High">Bytes 0–7 of the digest, big-endian.</param>
/// <param name="Low">Bytes 8–15 of the digest, big-endian.</param>
public readonly record struct VersionId(ulong High, ulong Low)
{
    /// <summary>Derives the id; parts are separated by NUL, which no part may hold.</summary>
    public static VersionId From(UnderStoreId underStore, string key, VersionToken token, long length)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{underStore.Value}\0{key}\0{token.Value}\0{length}"));
        return FromBytes(hash);
    }

    /// <summary>Reads the id from its first 16 bytes.</summary>
    public static VersionId FromBytes(ReadOnlySpan<byte> bytes)
        => new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    /// <summary>Writes the 16 bytes of the id.</summary>
    public void WriteTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }

    /// <summary>The id as 16 bytes.</summary>
    public byte[] ToByteArray()
    {
        byte[] bytes = new byte[16];
        WriteTo(bytes);
        return bytes;
    }

    /// <summary>32 lower-case hexadecimal digits.</summary>
    public override string ToString() => $"{High:x16}{Low:x16}";
}
