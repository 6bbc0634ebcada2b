using System.Text.Json.Serialization;
using Forebay.Cli.Mounting;

namespace Forebay.Cli.Verbs;

/// <summary>JSON that verbs print where it is not an answer of the admin API as it is.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(List<UsageRow>))]
[JsonSerializable(typeof(List<ChangeRow>))]
[JsonSerializable(typeof(CopySummary))]
[JsonSerializable(typeof(List<MountRow>))]
internal sealed partial class VerbJson : JsonSerializerContext;

/// <summary>One line of <c>du</c>.</summary>
internal sealed record UsageRow(string Path, long Objects, long Bytes, long CachedObjects, long CachedBytes);

/// <summary>One line of <c>free</c>, <c>pin</c>, <c>unpin</c> and <c>refresh</c>; objects and bytes are 0 for refresh, pinned objects for all but free.</summary>
internal sealed record ChangeRow(string Path, string Action, bool DryRun, long Objects, long Bytes, long PinnedObjects);

/// <summary>Result of <c>cp</c>.</summary>
internal sealed record CopySummary(string Source, string Destination, long Files, long Bytes, long Failed);
