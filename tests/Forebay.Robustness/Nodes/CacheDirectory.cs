using System.Diagnostics;
using System.Globalization;

namespace Forebay.Robustness.Nodes;

/// <summary>Looks at a cache directory from outside.</summary>
internal static class CacheDirectory
{
    /// <summary>The data files, largest first.</summary>
    public static IReadOnlyList<string> DataFiles(string directory)
        => [.. Directory.EnumerateFiles(Path.Combine(directory, "objects"), "*", SearchOption.AllDirectories).OrderByDescending(path => new FileInfo(path).Length)];

    /// <summary>Bytes on the disk, as <c>du</c> counts them, without the 256 empty directories.</summary>
    public static long BytesOnDisk(string directory)
    {
        using Process du = Process.Start(new ProcessStartInfo("sh", ["-c", "find \"$0\" -type f -printf '%b\\n' 2>/dev/null | awk '{s+=$1} END {printf \"%d\", s*512}'", directory])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        string text = du.StandardOutput.ReadToEnd();
        du.WaitForExit();
        return long.Parse(text, CultureInfo.InvariantCulture);
    }

    /// <summary>Flips one bit in the middle of each 64 KiB, without touching the file's times.</summary>
    public static void FlipBits(string file)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.ReadWrite);
        for (long offset = 32 << 10; offset < stream.Length; offset += 64 << 10)
        {
            stream.Position = offset;
            int value = stream.ReadByte();
            stream.Position = offset;
            stream.WriteByte((byte)(value ^ 0x10));
        }
    }
}
