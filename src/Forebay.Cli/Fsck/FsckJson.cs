using System.Text.Json.Serialization;
using Forebay.Caching;

namespace Forebay.Cli.Fsck;

/// <summary>One directory of <c>forebay fsck --output json</c>.</summary>
/// <param name="Directory">As it was named.</param>
/// <param name="State"><c>clean</c>, <c>damaged</c> or <c>notChecked</c>.</param>
/// <param name="Problem">Why nothing was checked; else null.</param>
/// <param name="Report">What was found; null when nothing was checked.</param>
internal sealed record FsckResult(string Directory, string State, string? Problem, TierCheckReport? Report);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(List<FsckResult>))]
internal sealed partial class FsckJson : JsonSerializerContext;
