using System.Buffers;
using System.Globalization;
using System.Text;
using System.Xml;
using Forebay.Core;

namespace Forebay.UnderStores.S3;

internal sealed partial class S3UnderStore
{
    /// <summary>1,000 names of 1,024 encoded bytes with all their fields are under 5 MiB; more is not a listing.</summary>
    private const int MaxListingBytes = 16 << 20;

    private const string LastCodePoint = "\U0010FFFF";

    private const int MaxKeyBytes = 1024;

    /// <inheritdoc/>
    public async Task<ListPage> ListAsync(ListQuery query, string? requestId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(query);
        ArgumentOutOfRangeException.ThrowIfLessThan(query.MaxEntries, 1, nameof(query));
        string? continuation = null;
        while (true)
        {
            S3Request request = S3Request.ForBucket(QueryOf(query, continuation), query.Prefix, requestId);
            S3Xml.S3Listing listing = await ReadListingAsync(request, cancellationToken);
            List<ListEntry> entries = EntriesOf(listing, query, request);
            string? next = listing.IsTruncated ? listing.ContinuationToken : null;

            // All names of a page can lie at or before After: it was a prefix entry, or the store ignores start-after.
            if (entries.Count > 0 || !listing.IsTruncated)
            {
                return new ListPage(entries, listing.IsTruncated);
            }

            continuation = next is not null && !string.Equals(next, continuation, StringComparison.Ordinal) ? next : throw Broken(request, "a listing that goes on but does not say where");
        }
    }

    /// <summary>Sorted by name, because the signature needs it so.</summary>
    private static string QueryOf(ListQuery query, string? continuation)
    {
        StringBuilder text = new();
        if (continuation is not null)
        {
            text.Append("continuation-token=").Append(PercentEncoding.EncodeQuery(continuation)).Append('&');
        }

        if (!string.IsNullOrEmpty(query.Delimiter))
        {
            text.Append("delimiter=").Append(PercentEncoding.EncodeQuery(query.Delimiter)).Append('&');
        }

        text.Append("encoding-type=url&list-type=2&max-keys=").Append(CultureInfo.InvariantCulture, $"{Math.Min(query.MaxEntries, 1000)}");
        text.Append("&prefix=").Append(PercentEncoding.EncodeQuery(query.Prefix));
        if (continuation is null && StartAfter(query) is { Length: > 0 } startAfter)
        {
            text.Append("&start-after=").Append(PercentEncoding.EncodeQuery(startAfter));
        }

        return text.ToString();
    }

    /// <summary>Behind a prefix entry the store must skip every key below it, not list the entry again.</summary>
    private static string? StartAfter(ListQuery query)
    {
        string? after = query.After;
        if (after is null || string.IsNullOrEmpty(query.Delimiter) || !after.StartsWith(query.Prefix, StringComparison.Ordinal))
        {
            return after;
        }

        int at = after.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
        if (at < 0)
        {
            return after;
        }

        string behind = after[..(at + query.Delimiter.Length)] + LastCodePoint;
        return Encoding.UTF8.GetByteCount(behind) <= MaxKeyBytes ? behind : after;
    }

    private List<ListEntry> EntriesOf(S3Xml.S3Listing listing, ListQuery query, S3Request request)
    {
        List<ListEntry> entries = new(listing.Objects.Count + listing.Prefixes.Count);
        try
        {
            foreach (S3Xml.RawObject item in listing.Objects)
            {
                string key = S3Xml.DecodeName(item.Key, listing.IsUrlEncoded);
                Add(key, S3Stat.Create(key, item.Length, item.ETag, item.LastModified));
            }

            foreach (string prefix in listing.Prefixes)
            {
                Add(S3Xml.DecodeName(prefix, listing.IsUrlEncoded), null);
            }
        }
        catch (XmlException error)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{request.Describe(DisplayName)}: {error.Message}", error);
        }

        entries.Sort(static (x, y) => KeyOrder.Compare(x.Name, y.Name));
        return entries;

        void Add(string name, ObjectStat? stat)
        {
            if (name.StartsWith(query.Prefix, StringComparison.Ordinal) && (query.After is null || KeyOrder.Compare(name, query.After) > 0))
            {
                entries.Add(new ListEntry(name, stat));
            }
        }
    }

    private async Task<S3Xml.S3Listing> ReadListingAsync(S3Request request, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await SendAsync(request, cancellationToken);
        if (response.Headers.Contains(NodeHeaders.HasDirectories))
        {
            _hasDirectories = true;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(response.Content.Headers.ContentLength ?? 0, 64 << 10, MaxListingBytes));
        try
        {
            using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            int length = 0;
            while (await body.ReadAsync(buffer.AsMemory(length), cancellationToken) is var read and > 0)
            {
                length += read;
                if (length == buffer.Length)
                {
                    buffer = Grow(buffer, request);
                }
            }

            return S3Xml.ReadListing(new MemoryStream(buffer, 0, length, writable: false));
        }
        catch (Exception error) when (error is IOException or HttpRequestException)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{request.Describe(DisplayName)}: the connection broke", error);
        }
        catch (XmlException error)
        {
            throw new ForebayException(ErrorKind.Unavailable, $"{request.Describe(DisplayName)}: the answer is not a listing ({error.Message})", error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private byte[] Grow(byte[] buffer, S3Request request)
    {
        if (buffer.Length >= MaxListingBytes)
        {
            throw Broken(request, "a listing of more than 16 MiB");
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length * 2, MaxListingBytes));
        buffer.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }
}
