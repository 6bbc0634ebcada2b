using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Forebay.Fuse;

/// <summary>Takes the arguments of a request one after another. Every method answers false, and takes nothing, when the bytes are not there.</summary>
internal ref struct FuseMessageReader(ReadOnlySpan<byte> body, ulong nodeId)
{
    /// <summary>Older kernels send at most 1,024; what a file system has no room for it refuses itself, with ENAMETOOLONG.</summary>
    private const int MostNameBytes = 4095;

    private ReadOnlySpan<byte> _rest = body;

    /// <summary>Inode of the message's header.</summary>
    internal ulong NodeId { get; } = nodeId;

    internal readonly bool IsAtEnd => _rest.IsEmpty;

    /// <summary>What was not taken.</summary>
    internal readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>A structure of fixed size.</summary>
    internal bool TryTake<T>(out T value)
        where T : unmanaged
    {
        if (!MemoryMarshal.TryRead(_rest, out value))
        {
            return false;
        }

        _rest = _rest[Unsafe.SizeOf<T>()..];
        return true;
    }

    /// <summary>A structure that is the whole rest.</summary>
    internal bool TryTakeLast<T>(out T value)
        where T : unmanaged
        => TryTake(out value) && IsAtEnd;

    /// <summary>A name with its NUL: 1–4,095 bytes, no '/'. "." and ".." are names.</summary>
    internal bool TryTakeName(out ReadOnlySpan<byte> name) => TryTakeText(out name) && name.Length <= MostNameBytes && !name.Contains((byte)'/');

    /// <summary>Text with its NUL, not empty.</summary>
    internal bool TryTakeText(out ReadOnlySpan<byte> text)
    {
        int end = _rest.IndexOf((byte)0);
        if (end <= 0)
        {
            text = default;
            return false;
        }

        text = _rest[..end];
        _rest = _rest[(end + 1)..];
        return true;
    }

    /// <summary>Exactly so many bytes.</summary>
    internal bool TryTakeBytes(uint count, out ReadOnlySpan<byte> bytes)
    {
        if (count > (uint)_rest.Length)
        {
            bytes = default;
            return false;
        }

        bytes = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return true;
    }
}
