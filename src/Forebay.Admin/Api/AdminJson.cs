using System.Text.Json;
using System.Text.Json.Serialization;
using Forebay.Engine;
using Forebay.Engine.Status;

namespace Forebay.Admin.Api;

/// <summary>How the API writes and reads JSON: camelCase, states as words, no reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    WriteIndented = false,
    RespectRequiredConstructorParameters = true,
    Converters = [typeof(LoadStateConverter)])]
[JsonSerializable(typeof(NodeStatus))]
[JsonSerializable(typeof(IReadOnlyList<MountPointStatus>))]
[JsonSerializable(typeof(Listing))]
[JsonSerializable(typeof(IReadOnlyList<ListingEntry>))]
[JsonSerializable(typeof(ObjectInfo))]
[JsonSerializable(typeof(DiskUsage))]
[JsonSerializable(typeof(LoadStatus))]
[JsonSerializable(typeof(IReadOnlyList<LoadStatus>))]
[JsonSerializable(typeof(CacheChange))]
[JsonSerializable(typeof(IReadOnlyList<PinDescription>))]
[JsonSerializable(typeof(VersionInfo))]
[JsonSerializable(typeof(NodeEndpoints))]
[JsonSerializable(typeof(Acknowledgement))]
[JsonSerializable(typeof(LoadBody))]
[JsonSerializable(typeof(FreeBody))]
[JsonSerializable(typeof(PathBody))]
[JsonSerializable(typeof(AccessLogBody))]
[JsonSerializable(typeof(AccessLogStatus))]
[JsonSerializable(typeof(ErrorBody))]
public sealed partial class AdminJson : JsonSerializerContext;

internal sealed class LoadStateConverter() : JsonStringEnumConverter<LoadState>(JsonNamingPolicy.CamelCase);
