using Forebay.Core;
using Forebay.Engine;

namespace Forebay.S3.Sending;

/// <summary>Sends the body of a GET: chooses the connection's sender, paces it and counts its bytes.</summary>
internal static class ObjectBody
{
    /// <summary>Bytes sent between two looks at the counters when nothing is paced.</summary>
    private const long SliceBytes = 64L << 20;

    public static async ValueTask SendAsync(S3Request request, IObjectReader reader, ByteRange range, CancellationToken cancellationToken)
    {
        // Looked up for each request because the feature belongs to the connection, which may be of any transport.
        IBodySender sender = request.Http.Features.Get<IBodySender>() ?? CopyBodySender.Instance;
        IEgressGate? egress = request.Endpoint.Egress;
        long offset = range.Offset;
        while (offset < range.End)
        {
            long size = Math.Min(range.End - offset, SliceBytes);
            if (egress is not null)
            {
                size = await egress.AcquireAsync(request.Http.Connection.Id, request.Identity.AccessKeyId, size, cancellationToken);
            }

            await sender.SendAsync(request.Http, reader, new ByteRange(offset, size), cancellationToken);
            request.Endpoint.Counters.BytesSent(size);
            offset += size;
        }
    }
}
