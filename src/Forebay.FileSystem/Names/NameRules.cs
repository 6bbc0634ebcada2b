using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Forebay.FileSystem;

/// <summary>Which keys can be names in a directory. A key has exactly one path and a path one key, or it is not shown.</summary>
internal static class NameRules
{
    internal const int MostKeyBytes = 1024;

    /// <summary>The part of a listed key that is a name in the listed directory; empty for the marker of the directory itself.</summary>
    /// <param name="key">Key of an object, or a prefix with its trailing slash.</param>
    /// <param name="prefixLength">Characters of the listed prefix.</param>
    /// <param name="isDirectory">The key is a prefix.</param>
    internal static ReadOnlySpan<char> NameIn(string key, int prefixLength, bool isDirectory)
        => key.AsSpan(prefixLength, key.Length - prefixLength - (isDirectory ? 1 : 0));

    /// <summary>Encodes a name that can be shown.</summary>
    /// <param name="name">The name.</param>
    /// <param name="destination">At least <see cref="InodeTable.MostNameBytes"/> bytes.</param>
    /// <returns>Bytes; 0 for a name that cannot be shown: empty, <c>.</c>, <c>..</c>, over 255 bytes, with NUL, or no text.</returns>
    internal static int Encode(ReadOnlySpan<char> name, Span<byte> destination)
    {
        if (name is "" or "." or ".." || name.Contains('\0'))
        {
            return 0;
        }

        return Utf8.FromUtf16(name, destination[..InodeTable.MostNameBytes], out _, out int written, replaceInvalidSequences: false) == OperationStatus.Done ? written : 0;
    }

    /// <summary>The path of a name in a directory; null when no key can be meant by it.</summary>
    internal static string? Join(string directory, ReadOnlySpan<byte> name)
    {
        if (name.Length is 0 or > InodeTable.MostNameBytes || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || !Utf8.IsValid(name))
        {
            return null;
        }

        string text = Encoding.UTF8.GetString(name);
        string path = directory.Length == 0 ? text : $"{directory}/{text}";
        return path.Length <= MostKeyBytes && Encoding.UTF8.GetByteCount(path) <= MostKeyBytes ? path : null;
    }

    /// <summary>What is put before the names of a directory.</summary>
    internal static string PrefixOf(string directory) => directory.Length == 0 ? "" : directory + "/";
}
