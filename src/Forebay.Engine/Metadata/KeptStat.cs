using System.Text.Json;
using System.Text.Json.Serialization;
using Forebay.Core;

namespace Forebay.Engine.Metadata;

/// <summary>A stat as it is written to a file: everything but the key, which names the row. Members that a later build adds are skipped by this one.</summary>
internal sealed record KeptStat(long Length, string Token, long ModifiedTicks, string ETag, ObjectHeaders Headers)
{
    /// <summary>Largest encoded stat that is kept; S3 allows 8 KiB of headers.</summary>
    internal const int MaxBytes = 32 << 10;

    internal static byte[] Encode(ObjectStat stat)
        => JsonSerializer.SerializeToUtf8Bytes(
            new KeptStat(stat.Length, stat.Token.Value, stat.LastModified.UtcTicks, stat.ETag, stat.Headers!), KeptStatJson.Default.KeptStat);

    /// <summary>Reads a stat back; null when the bytes are not one.</summary>
    internal static ObjectStat? Decode(string key, byte[] value)
    {
        try
        {
            return JsonSerializer.Deserialize(value, KeptStatJson.Default.KeptStat) is { Length: >= 0, Token.Length: > 0, ETag.Length: > 0, Headers: not null } kept
                ? new ObjectStat(key, kept.Length, new VersionToken(kept.Token), new DateTimeOffset(kept.ModifiedTicks, TimeSpan.Zero)) { ETag = kept.ETag, Headers = kept.Headers }
                : null;
        }
        catch (Exception error) when (error is JsonException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }
}

/// <summary>Reads and writes <see cref="KeptStat"/> without reflection.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeptStat))]
internal sealed partial class KeptStatJson : JsonSerializerContext;
