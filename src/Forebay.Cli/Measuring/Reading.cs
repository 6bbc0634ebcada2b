using System.Text.Json.Serialization;

namespace Forebay.Cli.Measuring;

/// <summary>One object to read and what its bytes must add up to.</summary>
internal sealed record MeasuredObject(string Key, long Length, uint Checksum);

/// <summary>One measured operation.</summary>
/// <param name="Operation">What was done, for people.</param>
/// <param name="Time">How long it took.</param>
/// <param name="Bytes">Bytes that reached the reader.</param>
/// <param name="HitRatio">Share of them that came from the cache; null where no cache took part.</param>
/// <param name="SourceBytes">Bytes read from the source.</param>
internal sealed record Reading(string Operation, TimeSpan Time, long Bytes, double? HitRatio, long? SourceBytes)
{
    /// <summary>Bytes a second that reached the readers.</summary>
    public double BytesPerSecond => Bytes / Math.Max(Time.TotalSeconds, 1e-6);
}

/// <summary>A reading for machines; the names are stable.</summary>
internal sealed record ReadingRow(string Operation, double Seconds, long Bytes, double BytesPerSecond, double? HitRatio, long? SourceBytes);

/// <summary>What <c>demo</c> and <c>bench</c> print as JSON.</summary>
internal sealed record ReadingList(IReadOnlyList<ReadingRow> Rows);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ReadingList))]
internal sealed partial class ReadingJson : JsonSerializerContext;
