using System.Globalization;
using System.Text;
using Forebay.S3.Addressing;

namespace Forebay.S3.Operations;

/// <summary>The parameters that all listings share.</summary>
internal sealed record ListParameters
{
    /// <summary>Most entries of a page.</summary>
    public const int MaxPage = 1000;

    public required string Prefix { get; init; }

    /// <summary>Null for a flat listing.</summary>
    public required string? Delimiter { get; init; }

    /// <summary>0–1,000.</summary>
    public required int MaxKeys { get; init; }

    /// <summary>Names are answered percent-encoded.</summary>
    public required bool UrlEncode { get; init; }

    public static S3Error? TryParse(QueryParameters query, out ListParameters? parameters)
    {
        parameters = null;
        int maxKeys = MaxPage;
        if (query.Get("max-keys") is { Length: > 0 } text
            && (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out maxKeys) || maxKeys < 0))
        {
            return (S3Errors.InvalidArgument with { Message = "Provided max-keys not an integer or within integer range" })
                .With("ArgumentName", "max-keys")
                .With("ArgumentValue", text);
        }

        string? encoding = query.Get("encoding-type");
        if (encoding is not null && !string.Equals(encoding, "url", StringComparison.OrdinalIgnoreCase))
        {
            return (S3Errors.InvalidArgument with { Message = "Invalid Encoding Method specified in Request" })
                .With("ArgumentName", "encoding-type")
                .With("ArgumentValue", encoding);
        }

        string? delimiter = query.Get("delimiter");
        parameters = new ListParameters
        {
            Prefix = query.Get("prefix") ?? "",
            Delimiter = string.IsNullOrEmpty(delimiter) ? null : delimiter,
            MaxKeys = Math.Min(maxKeys, MaxPage),
            UrlEncode = encoding is not null,
        };
        return IsUsable(parameters.Prefix) && IsUsable(parameters.Delimiter)
            ? null
            : S3Errors.InvalidArgument with { Message = "Prefix and delimiter may have 1,024 bytes each and no U+0000." };
    }

    /// <summary>False for names that no key can have or begin with.</summary>
    public static bool IsUsable(string? name)
        => name is null || (!name.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(name) <= RequestTarget.MaxKeyBytes);

    /// <summary>A name as the client wants it.</summary>
    public string Show(string name) => UrlEncode ? PercentCoding.Encode(name) : name;
}
