using System.Collections.Concurrent;

namespace Forebay.Admin.Api;

/// <summary>Files that travel inside the assembly; read once each.</summary>
internal static class EmbeddedFile
{
    private static readonly ConcurrentDictionary<string, byte[]> Files = new(StringComparer.Ordinal);

    public static byte[] Read(string name) => Files.GetOrAdd(name, static key =>
    {
        using Stream stream = typeof(EmbeddedFile).Assembly.GetManifestResourceStream(key)
            ?? throw new InvalidOperationException($"The embedded file '{key}' is missing from the build.");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    });
}
