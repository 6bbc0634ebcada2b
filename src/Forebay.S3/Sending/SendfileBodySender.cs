using Forebay.Core;
using Forebay.Engine;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Connections;
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

            bool taken;
            try
            {
                taken = await SendfileBody.SendAsync(context, segment.File!, segment.Offset, segment.Length, cancellationToken);
            }
            catch (IOException e)
            {
                // This answer is lost (the connection was cut), the next one must not be.
                reader.ReportUnreadable();
                throw new ForebayException(ErrorKind.Corrupt, $"The cache file of '{reader.Stat.Key}' failed while it was sent.", e);
            }

            if (!taken)
            {
                throw new ConnectionResetException("The client closed the connection.");
            }

            offset += segment.Length;
        }
    }
}
