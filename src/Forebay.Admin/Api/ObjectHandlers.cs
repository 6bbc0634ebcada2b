using System.Buffers;
using System.Globalization;
using Forebay.Core;
using Forebay.Engine;
using Forebay.Engine.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Forebay.Admin.Api;

/// <summary>Streams the bytes of one object, for <c>cat</c> and <c>cp</c>.</summary>
internal static class ObjectHandlers
{
    private const int BufferBytes = 256 << 10;

    public static async Task ReadAsync(AdminContext context)
    {
        string asked = context.RequiredPath();
        NamespacePath path = NamespacePath.Parse(asked);
        if (path.IsRoot || path.Key.Length == 0)
        {
            throw new ForebayException(ErrorKind.InvalidArgument, $"'{asked}' is not an object; write /name/key.");
        }

        RangeItemHeaderValue? range = ReadRange(context.Http.Request);
        IMountPoint mount = path.Find(context.Node);
        using IObjectReader reader = await mount.OpenAsync(path.Key, Wanted(range), context.RequestId, context.Aborted);
        ByteRange send = Resolve(range, reader.Stat.Length);

        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            // The first bytes are read before the headers go out: what fails until then is still a clean error.
            int ready = send.IsEmpty ? 0 : await reader.ReadAsync(send.Offset, buffer.AsMemory(0, (int)Math.Min(BufferBytes, send.Length)), context.Aborted);
            WriteHeaders(context.Http.Response, reader.Stat, send, partial: range is not null);
            await SendAsync(context, reader, send, buffer, ready);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task SendAsync(AdminContext context, IObjectReader reader, ByteRange send, byte[] buffer, int ready)
    {
        EgressLimits? egress = context.Options.Egress;
        EgressFlow flow = egress?.Begin(egress.Connect(), accessKey: null) ?? default;
        long offset = send.Offset;
        while (offset < send.End)
        {
            if (ready == 0)
            {
                throw new ForebayException(ErrorKind.Corrupt, $"'{reader.Stat.Key}' ended at byte {offset} of {send.End}.");
            }

            for (long left = ready; left > 0;)
            {
                left -= await flow.AcquireAsync(left, context.Aborted);
            }

            await context.Http.Response.Body.WriteAsync(buffer.AsMemory(0, ready), context.Aborted);
            offset += ready;
            if (offset < send.End)
            {
                ready = await reader.ReadAsync(offset, buffer.AsMemory(0, (int)Math.Min(BufferBytes, send.End - offset)), context.Aborted);
            }
        }
    }

    private static void WriteHeaders(HttpResponse response, ObjectStat stat, ByteRange send, bool partial)
    {
        // Never the object's own type: this origin also serves the page, and an HTML object must not run in it.
        response.ContentType = "application/octet-stream";
        response.Headers.ContentDisposition = "attachment";
        response.ContentLength = send.Length;
        response.Headers.ETag = stat.ETag;
        response.Headers.LastModified = stat.LastModified.ToString("R", CultureInfo.InvariantCulture);
        response.Headers.AcceptRanges = "bytes";
        if (partial)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            response.Headers.ContentRange = $"bytes {send.Offset}-{send.End - 1}/{stat.Length}";
        }
    }

    private static RangeItemHeaderValue? ReadRange(HttpRequest request)
    {
        // As HTTP has it, a Range that is not understood, or asks for several, is ignored.
        string? header = request.Headers.Range;
        return header is not null && RangeHeaderValue.TryParse(header, out RangeHeaderValue? parsed)
            && parsed.Unit.Equals("bytes", StringComparison.OrdinalIgnoreCase) && parsed.Ranges.Count == 1
            ? parsed.Ranges.First()
            : null;
    }

    private static ByteRange? Wanted(RangeItemHeaderValue? range)
        => range switch
        {
            null => new ByteRange(0, long.MaxValue),
            { From: null } => null,
            { To: { } to } => ByteRange.FromBounds(range.From.Value, to == long.MaxValue ? to : to + 1),
            _ => ByteRange.FromBounds(range.From.Value, long.MaxValue),
        };

    private static ByteRange Resolve(RangeItemHeaderValue? range, long length)
    {
        if (range is null)
        {
            return new ByteRange(0, length);
        }

        long from = range.From ?? Math.Max(0, length - range.To!.Value);
        long end = range.From is null || range.To is not { } to || to >= length ? length : to + 1;
        return from < length && from < end
            ? ByteRange.FromBounds(from, end)
            : throw new ForebayException(ErrorKind.InvalidRange, $"The range begins at byte {from}, but the object has {length} bytes.");
    }
}
