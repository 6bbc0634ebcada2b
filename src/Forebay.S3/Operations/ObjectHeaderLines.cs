using System.Globalization;
using Forebay.Core;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Operations;

/// <summary>Puts what is known about an object into the headers of an answer.</summary>
internal static class ObjectHeaderLines
{
    public static void Apply(IHeaderDictionary headers, ObjectStat stat)
    {
        headers.ETag = HeaderText.Encode(stat.ETag);
        headers.LastModified = stat.LastModified.ToString("R", CultureInfo.InvariantCulture);
        headers.AcceptRanges = "bytes";
        ObjectHeaders descriptive = stat.Headers ?? ObjectHeaders.Empty;
        headers.ContentType = descriptive.ContentType is { } type ? HeaderText.Encode(type) : "binary/octet-stream";
        if (ReferenceEquals(descriptive, ObjectHeaders.Empty))
        {
            return;
        }

        Set(headers, "Content-Encoding", descriptive.ContentEncoding);
        Set(headers, "Content-Language", descriptive.ContentLanguage);
        Set(headers, "Content-Disposition", descriptive.ContentDisposition);
        Set(headers, "Cache-Control", descriptive.CacheControl);
        Set(headers, "Expires", descriptive.Expires);
        Set(headers, "x-amz-version-id", descriptive.VersionId);

        // Amazon S3 leaves the usual class out.
        if (descriptive.StorageClass is not "STANDARD")
        {
            Set(headers, "x-amz-storage-class", descriptive.StorageClass);
        }

        foreach (KeyValuePair<string, string> pair in descriptive.UserMetadata)
        {
            if (HeaderText.IsToken(pair.Key))
            {
                Set(headers, "x-amz-meta-" + pair.Key, pair.Value);
            }
        }
    }

    private static void Set(IHeaderDictionary headers, string name, string? value)
    {
        if (value is not null)
        {
            headers[name] = HeaderText.Encode(value);
        }
    }
}
