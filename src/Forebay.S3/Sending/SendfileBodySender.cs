using Forebay.Core;
using Forebay.Engine;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Sending;

/// <summary>Sends a body out of cache files by <c>sendfile(2)</c>; bytes that lie in no file, and connections that cannot, are copied.</summary>
internal sealed class SendfileBodySender : IBodySender
{
    public static readonly SendfileBodySender Instance = new();

    public async ValueTask SendAsync(HttpContext context, IObjectReader reader, ByteRange range, CancellationToken cancellationToken)
    {
        long offset = range.Offset;
        while (offset < range.End)
        {
            using FileSegment segment = await reader.GetSegmentAsync(offset, range.End - offset, cancellationToken);
            if (segment.IsEmpty)
            {
                await CopyBodySender.Instance.SendAsync(context, reader, ByteRange.FromBounds(offset, range.End), cancellationToken);
                return;
            }

            if (!await SendfileBody.SendAsync(context, segment.File!, segment.Offset, segment.Length, cancellationToken))
            {
                throw new OperationCanceledException("The client closed the connection.");
            }

            offset += segment.Length;
        }
    }
}
