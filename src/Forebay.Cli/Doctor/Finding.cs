using System.Text.Json.Serialization;

namespace Forebay.Cli.Doctor;

/// <summary>How a check ended.</summary>
internal enum FindingState
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>Works, but something is slower or guarantees less.</summary>
    Warn,

    /// <summary>Does not work.</summary>
    Fail,
}

/// <summary>What one check found.</summary>
/// <param name="Check">Stable name of the check.</param>
/// <param name="State">How it ended.</param>
/// <param name="What">One sentence.</param>
/// <param name="Remedy">What to do; null when nothing.</param>
internal sealed record Finding(string Check, FindingState State, string What, string? Remedy = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(FindingStateConverter)])]
[JsonSerializable(typeof(List<Finding>))]
internal sealed partial class DoctorJson : JsonSerializerContext;

internal sealed class FindingStateConverter() : JsonStringEnumConverter<FindingState>(System.Text.Json.JsonNamingPolicy.CamelCase);
