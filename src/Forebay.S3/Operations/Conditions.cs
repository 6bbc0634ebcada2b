using Forebay.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Forebay.S3.Operations;

/// <summary>Preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2.</summary>
internal static class Conditions
{
    /// <summary>True when a read of the object may end in 304, so that its bytes should not be fetched before its stat.</summary>
    public static bool MayBeNotModified(IHeaderDictionary headers)
        => headers.IfNoneMatch.Count > 0 || headers.IfModifiedSince.Count > 0;

    /// <summary>True when the client bound its request to versions it knows; <c>*</c> is met by all.</summary>
    public static bool BindsVersion(IHeaderDictionary headers)
        => headers.IfMatch.Count > 0 && !headers.IfMatch.Any(static value => value.AsSpan().Trim() is "*");

    /// <summary>Checks all conditions but If-Range.</summary>
    /// <returns>Null to go on; otherwise NotModified or PreconditionFailed.</returns>
    public static S3Error? Check(IHeaderDictionary headers, ObjectStat stat)
    {
        if (headers.IfMatch.Count > 0)
        {
            if (!Matches(headers.IfMatch, stat.ETag, isStrong: true))
            {
                return S3Errors.PreconditionFailed.With("Condition", "If-Match");
            }
        }
        else if (TryParseDate(headers.IfUnmodifiedSince, out DateTimeOffset unmodifiedSince) && WholeSeconds(stat.LastModified) > unmodifiedSince)
        {
            return S3Errors.PreconditionFailed.With("Condition", "If-Unmodified-Since");
        }

        if (headers.IfNoneMatch.Count > 0)
        {
            return Matches(headers.IfNoneMatch, stat.ETag, isStrong: false) ? S3Errors.NotModified : null;
        }

        return TryParseDate(headers.IfModifiedSince, out DateTimeOffset modifiedSince) && WholeSeconds(stat.LastModified) <= modifiedSince
            ? S3Errors.NotModified
            : null;
    }

    /// <summary>True when a range holds for this version: there is no If-Range, or it names the version (by strong ETag or exact date).</summary>
    public static bool RangeHolds(IHeaderDictionary headers, ObjectStat stat)
    {
        if (headers.IfRange.Count == 0)
        {
            return true;
        }

        return TryParseDate(headers.IfRange, out DateTimeOffset date)
            ? WholeSeconds(stat.LastModified) == date
            : Matches(headers.IfRange, stat.ETag, isStrong: true);
    }

    /// <summary>Looks for an ETag in a list. Tags without quotes count, because SDKs send them so.</summary>
    private static bool Matches(StringValues values, string eTag, bool isStrong)
    {
        bool isWeakTag = CutWeak(eTag, out ReadOnlySpan<char> tag);
        foreach (string? value in values)
        {
            ReadOnlySpan<char> rest = value;
            while (TryTakeTag(ref rest, out ReadOnlySpan<char> candidate))
            {
                if (candidate.SequenceEqual("*"))
                {
                    return true;
                }

                bool isWeak = CutWeak(candidate, out candidate);
                if (candidate.SequenceEqual(tag) && !(isStrong && (isWeak || isWeakTag)))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Takes the next element of a comma-separated list; a comma inside quotes belongs to the tag.</summary>
    private static bool TryTakeTag(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> tag)
    {
        rest = rest.TrimStart(" \t,");
        tag = default;
        if (rest.IsEmpty)
        {
            return false;
        }

        int open = rest.IndexOf('"');
        int comma = rest.IndexOf(',');
        int end = comma;
        if (open >= 0 && (comma < 0 || open < comma))
        {
            int close = rest[(open + 1)..].IndexOf('"');
            end = close < 0 ? -1 : open + 1 + close + 1;
        }

        tag = (end < 0 ? rest : rest[..end]).TrimEnd(" \t");
        rest = end < 0 ? default : rest[end..];
        return true;
    }

    private static bool CutWeak(ReadOnlySpan<char> tag, out ReadOnlySpan<char> opaque)
    {
        bool isWeak = tag.StartsWith("W/", StringComparison.Ordinal);
        opaque = (isWeak ? tag[2..] : tag).Trim('"');
        return isWeak;
    }

    private static bool TryParseDate(StringValues values, out DateTimeOffset date)
    {
        date = default;
        return values.Count == 1 && HeaderUtilities.TryParseDate(values[0], out date);
    }

    /// <summary>HTTP dates have no fractions; a local file's time has.</summary>
    private static DateTimeOffset WholeSeconds(DateTimeOffset time)
        => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerSecond), TimeSpan.Zero);
}
