namespace Forebay.Robustness.Sources;

/// <summary>One version of an object at the source; its bytes follow from key and version.</summary>
internal sealed class SourceObject(string key, long version, long length)
{
    public string Key { get; } = key;

    public long Version { get; } = version;

    public long Length { get; } = length;

    /// <summary>Tells the version to whoever sees it.</summary>
    public string ETag { get; } = ETagOf(version);

    public PatternContent Content { get; } = new(key, version);

    public DateTimeOffset Modified { get; } = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000 + version);

    /// <summary>Of the form that multipart uploads have: clients take the plain form for an MD5 of the body and compare it.</summary>
    public static string ETagOf(long version) => $"\"{version:x32}-1\"";
}
