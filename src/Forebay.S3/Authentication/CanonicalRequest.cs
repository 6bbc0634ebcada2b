using System.Collections.Frozen;
using Forebay.S3.Addressing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Forebay.S3.Authentication;

/// <summary>
/// Writes the canonical request of Signature Version 4: method, path, sorted query, signed headers, their names and the payload hash, one a line.
/// </summary>
/// <remarks>Source of the layout: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.</remarks>
internal static class CanonicalRequest
{
    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> UsualNames = FrozenSet.Create(
        StringComparer.Ordinal,
        "host", "range", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "user-agent", "content-type",
        "content-md5", "content-length", "if-match", "if-none-match", "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-checksum-mode")
        .GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Appends the canonical request.</summary>
    /// <returns>False when path or query hold a malformed escape.</returns>
    public static bool TryAppend(ref ByteBuilder output, HttpRequest request, RequestTarget target, in SignatureClaim claim)
    {
        output.AppendAscii(request.Method);
        output.Append((byte)'\n');
        if (!PercentCoding.TryAppendCanonical(ref output, target.RawPath, isPath: true))
        {
            return false;
        }

        output.Append((byte)'\n');
        if (!TryAppendQuery(ref output, target.Query, claim.IsPresigned))
        {
            return false;
        }

        output.Append((byte)'\n');
        AppendHeaders(ref output, request.Headers, claim.SignedHeaders);
        output.Append((byte)'\n');
        output.AppendUtf8(claim.SignedHeaders);
        output.Append((byte)'\n');
        output.AppendAscii(claim.PayloadHash);
        return true;
    }

    /// <summary>Finds a header by a name of the signed list.</summary>
    public static StringValues Find(IHeaderDictionary headers, ReadOnlySpan<char> name)
    {
        string key = UsualNames.TryGetValue(name, out string? usual) ? usual : name.ToString();
        return headers[key];
    }

    private static bool TryAppendQuery(ref ByteBuilder output, QueryParameters query, bool isPresigned)
    {
        if (query.Count == 0)
        {
            return true;
        }

        Span<Piece> pieces = stackalloc Piece[QueryParameters.MaxParameters];
        var scratch = new ByteBuilder(stackalloc byte[1024]);
        try
        {
            int count = Encode(ref scratch, query, isPresigned, pieces);
            if (count < 0)
            {
                return false;
            }

            Sort(pieces[..count], scratch.Written);
            AppendPieces(ref output, pieces[..count], scratch.Written);
            return true;
        }
        finally
        {
            scratch.Dispose();
        }
    }

    /// <summary>Encodes each parameter once into the scratch buffer.</summary>
    /// <returns>Number of pieces; -1 for a malformed escape.</returns>
    private static int Encode(ref ByteBuilder scratch, QueryParameters query, bool isPresigned, scoped Span<Piece> pieces)
    {
        int count = 0;
        for (int i = 0; i < query.Count; i++)
        {
            if (isPresigned && string.Equals(query.NameAt(i), "X-Amz-Signature", StringComparison.Ordinal))
            {
                continue;
            }

            int start = scratch.Length;
            if (!PercentCoding.TryAppendCanonical(ref scratch, query.RawNameAt(i), isPath: false))
            {
                return -1;
            }

            int middle = scratch.Length;
            if (!PercentCoding.TryAppendCanonical(ref scratch, query.RawValueAt(i), isPath: false))
            {
                return -1;
            }

            pieces[count++] = new Piece(start, middle, scratch.Length);
        }

        return count;
    }

    private static void AppendPieces(ref ByteBuilder output, scoped ReadOnlySpan<Piece> pieces, scoped ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < pieces.Length; i++)
        {
            if (i > 0)
            {
                output.Append((byte)'&');
            }

            output.Append(pieces[i].Name(text));
            output.Append((byte)'=');
            output.Append(pieces[i].Value(text));
        }
    }

    /// <summary>Insertion sort: queries are short and mostly sorted already.</summary>
    private static void Sort(Span<Piece> pieces, ReadOnlySpan<byte> text)
    {
        for (int i = 1; i < pieces.Length; i++)
        {
            Piece moving = pieces[i];
            int j = i;
            for (; j > 0 && Compare(pieces[j - 1], moving, text) > 0; j--)
            {
                pieces[j] = pieces[j - 1];
            }

            pieces[j] = moving;
        }
    }

    private static int Compare(Piece x, Piece y, ReadOnlySpan<byte> text)
    {
        int order = x.Name(text).SequenceCompareTo(y.Name(text));
        return order != 0 ? order : x.Value(text).SequenceCompareTo(y.Value(text));
    }

    private static void AppendHeaders(ref ByteBuilder output, IHeaderDictionary headers, ReadOnlySpan<char> signedHeaders)
    {
        while (!signedHeaders.IsEmpty)
        {
            int semicolon = signedHeaders.IndexOf(';');
            ReadOnlySpan<char> name = semicolon < 0 ? signedHeaders : signedHeaders[..semicolon];
            signedHeaders = semicolon < 0 ? default : signedHeaders[(semicolon + 1)..];
            output.AppendUtf8(name);
            output.Append((byte)':');
            StringValues values = Find(headers, name);
            for (int i = 0; i < values.Count; i++)
            {
                if (i > 0)
                {
                    output.Append((byte)',');
                }

                AppendTrimmed(ref output, values[i]);
            }

            output.Append((byte)'\n');
        }
    }

    /// <summary>Cuts spaces at both ends and turns runs of spaces inside into one.</summary>
    private static void AppendTrimmed(ref ByteBuilder output, ReadOnlySpan<char> value)
    {
        value = value.Trim(" \t");
        while (true)
        {
            int run = value.IndexOf("  ");
            if (run < 0)
            {
                output.AppendUtf8(value);
                return;
            }

            output.AppendUtf8(value[..(run + 1)]);
            value = value[run..].TrimStart(' ');
        }
    }

    private readonly record struct Piece(int Start, int Middle, int End)
    {
        public ReadOnlySpan<byte> Name(ReadOnlySpan<byte> text) => text[Start..Middle];

        public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> text) => text[Middle..End];
    }
}
